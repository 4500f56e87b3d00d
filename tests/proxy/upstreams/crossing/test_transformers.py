"""Both doors in front of a tiny model of kind `transformers`, soft compression included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
import yaml

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy import tiny_hf  # skips where the extra is missing
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy
from tests.proxy.upstreams.crossing.conftest import opened, theirs
from tests.proxy.upstreams.crossing.published import check_message_events, check_response_events, events_of
from tests.proxy.wire import ask

DOCUMENT = " ".join(["one two three four five six seven eight nine ten"] * 12)
HELLO: Any = [{"role": "user", "content": "one two"}]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveProxy]:
    folder = tmp_path_factory.mktemp("hf")
    model = tiny_hf.write_model(folder / "model")
    sac = tiny_hf.write_compressor(folder / "sac", model)
    models = {"tiny": {"path": str(model), "context": 2048, "compressors": [str(sac)]}}
    document = {
        "defaults": {"soft": {"method": "sac", "ratio": 5, "min_tokens": 40}},
        "upstreams": {"here": {"kind": "transformers", "hf_models": models}},
    }
    (folder / "moos.yaml").write_text(yaml.safe_dump(document))
    with LiveProxy(create_app(Settings(), load(folder / "moos.yaml"), FakeCompressor())) as proxy:
        yield proxy


async def test_every_event_is_what_is_published(live: LiveProxy) -> None:
    fields = {"model": "tiny", "stream": True, "temperature": 0}
    response = await ask(live.port, {**fields, "input": "one two", "max_output_tokens": 6}, "/v1/responses")
    message = await ask(live.port, {**fields, "messages": HELLO, "max_tokens": 6}, "/v1/messages")
    final = check_response_events(events_of(response.body))

    (block,) = check_message_events(events_of(message.body))
    assert final["output"][0]["content"][0]["text"] == block["text"] != ""


def test_a_long_text_becomes_soft_memory_on_either_door_and_is_counted_as_text(live: LiveProxy) -> None:
    with opened(live) as client, theirs(live) as claude:
        answer = client.responses.create(model="tiny", input=DOCUMENT, max_output_tokens=4)
        message = claude.messages.create(
            model="tiny", max_tokens=4, messages=[{"role": "user", "content": DOCUMENT}]
        )
        counted = client.responses.input_tokens.count(model="tiny", input=DOCUMENT)
        short = client.responses.input_tokens.count(model="tiny", input="one two")
        alike = client.responses.create(model="tiny", input="one two", max_output_tokens=1)

    assert answer.usage is not None
    assert alike.usage is not None
    assert answer.usage.input_tokens == message.usage.input_tokens < counted.input_tokens
    assert short.input_tokens == alike.usage.input_tokens


def test_what_this_kind_does_not_serve_has_the_doors_name(live: LiveProxy) -> None:
    with opened(live) as client, pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="tiny", input="x", text={"format": {"type": "json_object"}})

    assert caught.value.param == "text.format"
    assert str(caught.value.body).count("text.format is not served") == 1
