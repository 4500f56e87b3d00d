"""A prompt that is too long for the model's window is shortened until it fits, and stays as it was made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.proxy import tiny_gguf
from tests.proxy.fakes import FakeCompressor, prose
from tests.proxy.live import LiveProxy

pytestmark = tiny_gguf.needs_llama_cpp


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    """A window of 2048 tokens; compression by up to 8, but only where a prompt does not fit."""
    folder = tmp_path_factory.mktemp("fit")
    path = str(tiny_gguf.write(folder / "tiny.gguf"))
    defaults = {"ratio": 1, "max_ratio": 8, "min_tokens": 20, "min_savings": 0, "fit_context": True}
    routes = [
        {"match": {"model": "plain"}, "overrides": {"fit_context": False}},
        {"match": {"model": "gentle"}, "overrides": {"max_ratio": 2}},
        {},
    ]
    models = {name: {"path": path, "context": 2048} for name in ("tiny", "plain", "gentle")}
    with tiny_gguf.local_proxy(folder, models, defaults=defaults, routes=routes) as proxy:
        yield proxy


@pytest.fixture
def client(live: LiveProxy) -> Iterator[openai.OpenAI]:
    """Without retries."""
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def user(text: str) -> dict[str, str]:
    """A message."""
    return {"role": "user", "content": text}


def ask(client: openai.OpenAI, messages: list[Any], model: str = "tiny") -> tuple[str | None, Any]:
    """The header, and the answer."""
    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages, max_tokens=8)
    return raw.headers.get("x-moos-fit-context"), raw.parse()


def test_what_fits_is_left_alone(client: openai.OpenAI) -> None:
    header, answer = ask(client, [user(prose(100))])

    assert header is None
    assert 200 < answer.usage.prompt_tokens < 2048


def test_the_smallest_ratio_that_fits_is_chosen_and_named(client: openai.OpenAI) -> None:
    header, answer = ask(client, [user(prose(1000, "aa"))])

    assert header and header.startswith("chosen; ratio=")
    assert 1000 < answer.usage.prompt_tokens <= 2040
    # The fake compressor keeps every n-th word, n rounded: a smaller n would not have fitted.
    step = round(float(header.partition("=")[2]))
    assert answer.usage.prompt_tokens * step / (step - 1) > 2040


def test_later_turns_keep_the_ratio_until_it_no_longer_fits(client: openai.OpenAI) -> None:
    talk = [user(prose(1000, "bb"))]
    first, begun = ask(client, talk)
    talk += [{"role": "assistant", "content": begun.choices[0].message.content or "-"}, user("And then?")]
    second, went_on = ask(client, talk)
    talk += [{"role": "assistant", "content": "Then this."}, user(prose(1500, "cc"))]
    third, _ = ask(client, talk)

    assert first and second and third
    assert second == first.replace("chosen", "kept")
    assert went_on.usage.prompt_tokens_details.cached_tokens >= begun.usage.prompt_tokens - 1
    assert third.startswith("raised; ratio=")
    assert float(third.partition("=")[2]) > float(first.partition("=")[2])


def test_beyond_the_largest_allowed_ratio_the_error_has_the_numbers(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"2048 tokens, 8 of them .* shortened by 2,") as caught:
        ask(client, [user(prose(4000, "dd"))], "gentle")

    assert "context_length_exceeded" == caught.value.code


@pytest.mark.parametrize(("most", "fits"), [(4, True), (2, False)])
def test_the_policys_own_ratio_is_tried_where_break_even_left_the_text_alone(
    tmp_path: Path, most: int, fits: bool
) -> None:
    """The model is tiny and the compressor slow, so that no text is worth shortening for time's sake."""
    path = str(tiny_gguf.write(tmp_path / "tiny.gguf"))
    defaults = {"ratio": most, "max_ratio": most, "min_tokens": 20, "min_savings": 0, "fit_context": True}
    models = {"tiny": {"path": path, "context": 2048}}
    slow = FakeCompressor(plan_s=0.5)
    with (
        tiny_gguf.local_proxy(tmp_path, models, defaults=defaults, compressor=slow) as live,
        openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as client,
    ):
        if fits:
            header, answer = ask(client, [user(prose(1500, "gg"))])
            assert header == "chosen; ratio=4"
            assert answer.usage.prompt_tokens <= 2040  # of nearly 8,000
        else:
            with pytest.raises(openai.BadRequestError) as caught:
                ask(client, [user(prose(3000, "gg"))])
            told = re.search(r"still has (\d+) tokens when it is shortened by 2,", caught.value.message)
            assert told and 6000 < int(told[1]) < 10_000  # of nearly 17,000


def test_nothing_is_fitted_without_the_policys_leave(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="2048 tokens, but") as caught:
        ask(client, [user(prose(1000, "ee"))], "plain")

    assert "context_length_exceeded" == caught.value.code


def test_a_bypass_is_not_fitted(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="2048 tokens, but"):
        client.chat.completions.create(
            model="tiny",
            messages=[user(prose(1000, "ff"))],  # type: ignore[list-item]
            extra_headers={"x-moos-bypass": "true"},
        )


def test_the_other_doors_fit_too(live: LiveProxy) -> None:
    text = prose(1100)
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key="any", max_retries=0) as client:
        response = client.responses.with_raw_response.create(model="tiny", input=text, max_output_tokens=8)
    with anthropic.Anthropic(base_url=live.url, api_key="any", max_retries=0) as claude:
        message = claude.messages.with_raw_response.create(
            model="tiny", max_tokens=8, messages=[{"role": "user", "content": text}]
        )

    assert response.headers["x-moos-fit-context"]
    assert message.headers["x-moos-fit-context"]
    assert float(message.headers["x-moos-ratio"]) > 1
