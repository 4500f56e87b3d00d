"""The mathematics of the methods, on a language model with random weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from moosproxy.compressor.soft.config import METHODS, Method, SoftConfig, Start
from moosproxy.compressor.soft.errors import RatioNotTrained, SoftError
from moosproxy.compressor.soft.models.base import FrozenModel, open_mask
from moosproxy.compressor.soft.models.checkpoint import build
from moosproxy.compressor.soft.models.icformer import IcFormer, digest_mask
from moosproxy.compressor.soft.models.memory import Memory
from moosproxy.compressor.soft.models.methods import SoftCompressor
from moosproxy.compressor.soft.models.positions import anchors
from moosproxy.compressor.soft.models.reading import Reading
from moosproxy.compressor.soft.models.sac import Sac, encoded
from tests.compressor.soft.conftest import ids, tiny

CLOSE: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-4}


def compressor(base: FrozenModel, method: Method, **changes: Any) -> SoftCompressor:
    """An untrained compressor whose adapters and digests already do something."""
    torch.manual_seed(7)
    config = {"ratios": (4,), "chunk": 20, "rank": 4, "alpha": 8, **changes}
    built = build(base, SoftConfig(method, **config))
    for weight in built.parameters():
        torch.nn.init.normal_(weight.data, std=0.2)
    return built


def logits_after(base: FrozenModel, memory: Memory, tail: Tensor) -> Tensor:
    return base.head(Reading(base).read([memory, tail]))


def tensors_close(left: Memory, right: Memory) -> None:
    for name, value in left.tensors().items():
        torch.testing.assert_close(value, right.tensors()[name], **CLOSE)


def test_sac_at_ratio_one_without_adapter_and_with_a_causal_mask_gives_the_full_contexts_logits(
    base: FrozenModel,
) -> None:
    sac = build(base, SoftConfig("sac", (1,), chunk=64, rank=0, mask="causal"))
    assert isinstance(sac, Sac)
    torch.nn.init.zeros_(sac.anchor)
    context, tail = ids(2, 30), ids(2, 6, seed=2)

    expected = base.model(torch.cat([context, tail], dim=1)).logits[:, 30:]
    torch.testing.assert_close(expected, logits_after(base, sac.compress(context, 1), tail), **CLOSE)


def test_sac_keeps_the_keys_and_values_of_the_anchors_of_every_layer(base: FrozenModel) -> None:
    sac = compressor(base, "sac")
    assert isinstance(sac, Sac)
    context = ids(1, 20)
    memory = sac.compress(context, 4)

    marked = base.embed(context).clone()
    marked[:, anchors(20, 4)] += sac.anchor
    cache = encoded(base, sac._adapter, marked, open_mask(20, marked), torch.arange(20))[1]
    assert 3 == len(memory.keys)
    for layer in range(3):
        expected = cache.layers[layer].keys[:, :, anchors(20, 4)]
        torch.testing.assert_close(expected, memory.keys[layer], **CLOSE)


def test_sac_s_positions_continue_over_the_chunks(base: FrozenModel) -> None:
    """The second chunk's memory is what encoding it at its place in the context would have given."""
    sac = compressor(base, "sac", rank=0)
    assert isinstance(sac, Sac)
    context = ids(1, 40)
    memory = sac.compress(context, 4)

    marked = base.embed(context[:, 20:]).clone()
    marked[:, anchors(20, 4)] += sac.anchor
    cache = DynamicCache()
    base.run(marked, open_mask(20, marked), torch.arange(20, 40), cache)
    assert 40 == memory.span
    for layer in range(3):
        expected = cache.layers[layer].keys[:, :, anchors(20, 4)]
        torch.testing.assert_close(expected, memory.keys[layer][:, :, 5:], **CLOSE)


def test_the_text_behind_a_memory_goes_on_where_the_context_ended(base: FrozenModel) -> None:
    reading = Reading(base)
    reading.read([ids(1, 3), compressor(base, "sac").compress(ids(1, 40), 4), ids(1, 2)])

    assert 45 == reading.position
    assert 3 + 10 + 2 == reading.cache.get_seq_length()


def test_memory_may_stand_behind_text(base: FrozenModel) -> None:
    """At ratio 1 a memory in the middle of a conversation reads like the text itself, apart from seeing what was
    before; the values of the first layer do not depend on that at all."""
    sac = build(base, SoftConfig("sac", (1,), chunk=64, rank=0, mask="causal"))
    assert isinstance(sac, Sac)
    torch.nn.init.zeros_(sac.anchor)
    before, context = ids(1, 7, seed=3), ids(1, 12)
    reading = Reading(base)
    reading.read([before, sac.compress(context, 1), ids(1, 1)])

    whole = DynamicCache()
    base.model(torch.cat([before, context], dim=1), past_key_values=whole, use_cache=True)
    torch.testing.assert_close(whole.layers[0].keys, reading.cache.layers[0].keys[:, :, :19], **CLOSE)


def test_every_anchor_sees_the_whole_chunk_and_nothing_beyond() -> None:
    sac = compressor(tiny(), "sac")
    context = ids(1, 40)
    changed = context.clone()
    changed[0, 19] = 3 + (changed[0, 19] - 2) % 90
    before, after = sac.compress(context, 4), sac.compress(changed, 4)

    # The last layer's first anchor stands before the changed token and still feels it; the next chunk does not.
    assert not torch.allclose(before.values[2][:, :, 0], after.values[2][:, :, 0], atol=1e-4)
    torch.testing.assert_close(before.keys[2][:, :, 5:], after.keys[2][:, :, 5:], **CLOSE)


def test_epl_is_500x_with_its_tokens_where_the_anchors_of_sac_stand(base: FrozenModel) -> None:
    appended, spread = (
        compressor(base, method, start="small").compress(ids(1, 20), 4) for method in ("500x", "epl")
    )

    assert (25, 20) == (appended.span, spread.span)
    for slot, place in enumerate(anchors(20, 4)):
        # Nothing but the position tells the keys of the first layer apart.
        moved = base.turned(appended.keys[0][:, :, slot : slot + 1], place - (20 + slot))
        torch.testing.assert_close(moved, spread.keys[0][:, :, slot : slot + 1], **CLOSE)
        assert not torch.allclose(appended.values[1][:, :, slot], spread.values[1][:, :, slot], atol=1e-3)


@pytest.mark.parametrize(("method", "start"), [*((method, None) for method in METHODS), ("500x", "small")])
def test_a_chunk_border_moves_nothing_outside_its_chunk(method: Method, start: Start | None) -> None:
    made = compressor(tiny(), method, start=start)
    context = ids(1, 60)
    changed = context.clone()
    changed[:, 20:40] = ids(1, 20, seed=9)
    before, after = made.compress(context, 4).tensors(), made.compress(changed, 4).tensors()

    for name, value in before.items():
        torch.testing.assert_close(value[..., :5, :], after[name][..., :5, :], **CLOSE)
        torch.testing.assert_close(value[..., 10:, :], after[name][..., 10:, :], **CLOSE)
        # What an appended token has in the first layer depends on the context by its start alone.
        same = torch.allclose(value[..., 5:10, :], after[name][..., 5:10, :], atol=1e-3)
        learned = method in ("500x", "epl") and made.config.form.start != "pooled"
        assert same == (learned and name.endswith(".0"))


@pytest.mark.parametrize("method", METHODS)
def test_batch_and_single_results_agree(method: Method) -> None:
    made = compressor(tiny(), method)
    context = ids(3, 47)
    together = made.compress(context, 4)

    for row in range(3):
        tensors_close(made.compress(context[row : row + 1], 4), together.row(row))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_spends_the_same_number_of_vectors(method: Method) -> None:
    assert 5 + 5 == compressor(tiny(), method).compress(ids(1, 40), 4).tokens


def test_a_digest_sees_no_later_digest() -> None:
    mask = digest_mask(5, 3)

    assert mask[:, :5].all()
    assert [[True, False, False], [True, True, False], [True, True, True]] == mask[:, 5:].tolist()


def test_a_later_digest_changes_no_earlier_one() -> None:
    made = compressor(tiny(), "icformer")
    assert isinstance(made, IcFormer)
    before = made.compress(ids(1, 20), 4).embeddings
    made.digests.data[3] += 1.0
    after = made.compress(ids(1, 20), 4).embeddings

    assert before is not None and after is not None
    torch.testing.assert_close(before[:, :3], after[:, :3], **CLOSE)
    assert not torch.allclose(before[:, 3:], after[:, 3:], atol=1e-3)


def test_ic_former_runs_no_layer_of_the_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made = compressor(tiny(), "icformer")
    monkeypatch.setattr(FrozenModel, "run", lambda *_: pytest.fail("a layer of the language model ran"))

    made.compress(ids(1, 20), 4)


@pytest.mark.parametrize("method", METHODS)
def test_only_the_compressor_s_parameters_receive_gradients(method: Method) -> None:
    base = tiny()
    made = compressor(base, method)
    own = {id(weight) for weight in made.parameters()}
    states = Reading(base).read([made.compress(ids(2, 30), 4), made.marker("go_on"), ids(2, 5)])
    base.head(states).logsumexp(-1).sum().backward()  # type: ignore[no-untyped-call]

    touched = [
        name for name, weight in base.model.named_parameters() if weight.grad is not None and id(weight) not in own
    ]
    assert [] == touched
    without = [name for name, weight in made.named_parameters() if weight.grad is None or not weight.grad.any()]
    # Behind the last layer's keys and values nothing asks for its queries any more.
    assert [] == [name for name in without if "layers-2-self_attn-q_proj" not in name]


def test_adapters_change_compression_and_never_reading() -> None:
    base = tiny()
    text = ids(1, 9)
    before = base.model(text).logits
    compressor(base, "sac").compress(ids(1, 20), 4)

    torch.testing.assert_close(before, base.model(text).logits)


def test_two_compressors_of_one_base_keep_out_of_each_other_s_way() -> None:
    base = tiny()
    first = compressor(base, "sac")
    alone = first.compress(ids(1, 20), 4)
    second = compressor(base, "500x")
    second.compress(ids(1, 20), 4)

    tensors_close(alone, first.compress(ids(1, 20), 4))


def test_a_ratio_that_was_not_trained_is_named() -> None:
    with pytest.raises(RatioNotTrained, match="trained for 4, 5, not for 7"):
        compressor(tiny(), "sac", ratios=(5, 4)).compress(ids(1, 20), 7)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(SoftError, match="sac, icformer, icae, 500x, epl"):
        SoftConfig("zip")  # type: ignore[arg-type]
