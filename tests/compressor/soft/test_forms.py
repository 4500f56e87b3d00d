"""Where memory tokens stand, how they begin, and where the marker behind them stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import DynamicCache

from moosproxy.compressor.soft.config import MASKS, PUBLISHED, Method, SoftConfig, Start
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.models.base import FrozenModel
from moosproxy.compressor.soft.models.checkpoint import build
from moosproxy.compressor.soft.models.methods import pooled, spread
from moosproxy.compressor.soft.models.positions import anchors
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.compressor.soft.models.sac import Sac
from tests.compressor.soft.conftest import ids, tiny
from tests.compressor.soft.test_methods import CLOSE, compressor, tensors_close


@pytest.mark.parametrize("method", ["icae", "500x", "epl", "icformer"])
def test_tokens_that_move_stand_first_over_the_context_and_then_behind_it(method: Method) -> None:
    moving = compressor(tiny(), method, positions="moving")
    halfway = [(place + behind) / 2 for place, behind in zip(anchors(20, 4), range(20, 25), strict=True)]
    for moved, places in ((0.0, anchors(20, 4)), (0.5, halfway), (1.0, [*range(20, 25)])):
        moving.moved = moved
        assert places == pytest.approx(moving.places(20, 4), abs=0.5)
    for form, moved in (("spread", 0.0), ("appended", 1.0)):
        moving.moved = moved
        fixed = compressor(tiny(), method, positions=form)
        tensors_close(fixed.compress(ids(1, 40), 4), moving.compress(ids(1, 40), 4))


@pytest.mark.parametrize("method", ["icae", "500x", "epl", "icformer"])
def test_positions_decide_what_is_gathered(method: Method) -> None:
    spread, appended = (
        compressor(tiny(), method, positions=where).compress(ids(1, 20), 4) for where in ("spread", "appended")
    )
    first, second = ((each.embeddings if each.values == () else each.values[2]) for each in (spread, appended))

    assert first is not None and second is not None
    assert not torch.allclose(first, second, atol=1e-3)


def test_pooled_tokens_begin_as_the_mean_of_the_run_that_they_stand_for() -> None:
    """Of 22 tokens at 4x the fifth stands for what is left as well, and its own anchor is in its run."""
    embeddings = torch.randn(2, 22, 8)
    expected = [embeddings[:, start : start + 4].mean(1) for start in range(0, 20, 4)]
    expected.append(embeddings[:, 20:].mean(1))
    torch.testing.assert_close(torch.stack(expected, dim=1), pooled(embeddings, 6, 4))
    torch.testing.assert_close(embeddings.mean(1, keepdim=True), pooled(embeddings, 1, 51))
    for length in range(1, 60):
        for index, anchor in enumerate(anchors(length, 7)):
            assert anchor // 7 == index


def test_untrained_pooled_digests_have_the_spread_of_the_base_s_embeddings(base: FrozenModel) -> None:
    torch.manual_seed(0)
    made = build(base, SoftConfig("icformer", (4,), chunk=64))
    digests = made.compress(ids(1, 64), 4).embeddings

    assert digests is not None
    assert spread(base) == pytest.approx(digests.square().mean().sqrt().item(), rel=0.05)


def test_the_published_form_of_ic_former_begins_from_nothing_behind_the_context(base: FrozenModel) -> None:
    form = PUBLISHED["icformer"]
    made = build(base, SoftConfig("icformer", (4,), chunk=20, positions=form.positions, start=form.start))

    assert [20, 21, 22, 23, 24] == made.places(20, 4)
    assert not made.started(torch.zeros(5, 32), torch.ones(1, 20, 32), 4).any()
    assert "scale" not in made.state_dict()


@pytest.mark.parametrize(("start", "deviation"), [("small", 0.02), ("normal", 1.0)])
def test_memory_tokens_start_as_they_are_told_to(start: Start, deviation: float) -> None:
    torch.manual_seed(0)
    made = build(tiny(), SoftConfig("icae", (1,), chunk=128, start=start))

    assert deviation == pytest.approx(made.get_parameter("memory").std().item(), rel=0.05)


@pytest.mark.parametrize(("method", "back"), [("sac", 1), ("epl", 1), ("500x", 0), ("icae", 0), ("icformer", 0)])
def test_behind_anchors_the_marker_takes_the_place_of_the_last_token(method: Method, back: int) -> None:
    """As published: [LM] at the position of the context's last token, the question where it would stand behind
    the text."""
    made = compressor(tiny(), method)
    memory = made.compress(ids(1, 40), 4)
    reading = Reading(made.base)
    reading.read([ids(1, 3), memory, made.marker("go_on"), ids(1, 2)])

    assert 3 + memory.span + 1 - back + 2 == reading.position


def test_a_marker_in_the_last_token_s_place_is_read_there(base: FrozenModel) -> None:
    """At ratio 1, without the last token in the memory, a marker that is that token gives the text's logits."""
    sac = build(base, SoftConfig("sac", (1,), chunk=64, rank=0, mask="causal"))
    torch.nn.init.zeros_(sac.get_parameter("anchor"))
    context, tail = ids(1, 30), ids(1, 6, seed=2)
    sac.get_parameter("markers").data[1] = base.embed(context[0, -1:])[0]
    memory = sac.compress(context, 1)
    keys, values = ([each[:, :, :-1] for each in pair] for pair in (memory.keys, memory.values))
    without = replace(memory, keys=tuple(keys), values=tuple(values))

    states = Reading(base).read([without, sac.marker("go_on"), tail])
    expected = base.model(torch.cat([context, tail], dim=1)).logits[:, 29:]
    torch.testing.assert_close(expected, base.head(states), **CLOSE)


@pytest.mark.parametrize("method", ["sac", "icae", "icformer"])
def test_in_bfloat16_everything_that_learns_stays_in_single_precision(method: Method) -> None:
    base = tiny()
    base.model.to(torch.bfloat16)
    made = compressor(base, method)
    loss = base.head(Reading(base).read([made.compress(ids(1, 20), 4), made.marker("go_on")])).float()
    loss.logsumexp(-1).sum().backward()  # type: ignore[no-untyped-call]

    assert {torch.float32} == {weight.dtype for weight in made.parameters()}
    assert base.dtype == torch.bfloat16


def test_a_form_that_a_method_cannot_have_is_a_clear_error() -> None:
    with pytest.raises(SoftError, match="its anchors are tokens of the context"):
        SoftConfig("sac", positions="spread")
    with pytest.raises(SoftError, match="stay alike"):
        SoftConfig("icae", start="zero")


def test_masks_decide_who_sees_ahead() -> None:
    """A change of the last token reaches every state, the anchors' alone, or none before it."""
    context = ids(1, 20)
    changed = context.clone()
    changed[0, 19] = 3 + (changed[0, 19] - 2) % 90
    moved = {}
    for mask in MASKS:
        made = compressor(tiny(), "sac", ratios=(4, 1), mask=mask)
        before, after = (made.compress(each, 4).values[2] for each in (context, changed))
        moved[mask] = not torch.allclose(before[:, :, 0], after[:, :, 0], atol=1e-4)
    assert {"open": True, "anchors": True, "causal": False} == moved


def test_with_a_mask_for_anchors_alone_an_anchor_sees_ahead_from_the_second_layer_on(base: FrozenModel) -> None:
    made = build(base, SoftConfig("sac", (5,), chunk=20, rank=0, mask="anchors"))
    torch.nn.init.zeros_(made.get_parameter("anchor"))
    assert isinstance(made, Sac)
    context = ids(1, 20)
    cache = DynamicCache()
    base.model(context, past_key_values=cache, use_cache=True)
    seen = made.encode(context, 5)

    # The first anchor stands at 2. In the first layer its key is its own token's, as in the base's own cache.
    torch.testing.assert_close(cache.layers[0].keys[:, :, 2], seen.keys[0][:, :, 0], **CLOSE)
    assert not torch.allclose(cache.layers[1].keys[:, :, 2], seen.keys[1][:, :, 0], atol=1e-3)


def test_a_checkpoint_from_before_there_were_masks_has_the_one_of_its_time() -> None:
    for said, mask in ((True, "open"), (False, "causal")):
        written = {**SoftConfig("sac").to_json(), "bidirectional": said}
        del written["mask"]
        assert mask == SoftConfig.from_json(written).mask
