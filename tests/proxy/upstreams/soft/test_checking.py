"""A compressor that does not belong to its model shows before a request does: doctor, policy check, readiness."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.commands.doctor.soft import soft_models
from moosproxy.proxy.commands.policies import policy
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor
from tests.proxy.live import LiveProxy

tiny_hf = pytest.importorskip("tests.proxy.tiny_hf", exc_type=ImportError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a compressor, one of another model, and the model with another tokenizer."""
    folder = tmp_path_factory.mktemp("checking")
    model = tiny_hf.write_model(folder / "model")
    tiny_hf.write_compressor(folder / "sac", model, "sac", (4, 5))
    tiny_hf.write_compressor(folder / "foreign", tiny_hf.write_model(folder / "other", seed=9))
    shutil.copytree(model, folder / "retold")
    words = json.loads((folder / "retold" / "tokenizer.json").read_text())
    words["model"]["merges"] = words["model"]["merges"][:5]
    (folder / "retold" / "tokenizer.json").write_text(json.dumps(words))
    shutil.copytree(folder / "sac", folder / "torn")
    (folder / "torn" / "model.safetensors").write_bytes(b"\0" * 20)
    return folder


def configured(folder: Path, model: str, compressor: str, **soft: Any) -> Path:
    models = {"m": {"path": str(folder / model), "compressors": [str(folder / compressor)]}}
    document = {
        "defaults": {"soft": {"method": "sac", "ratio": 5, **soft}},
        "upstreams": {"here": {"kind": "transformers", "hf_models": models}},
    }
    file = folder / f"{model}-{compressor}.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


FAULTS = [
    ("model", "foreign", "foreign was trained for other"),
    ("retold", "sac", "sac was trained with another tokenizer than that of retold"),
    ("model", "torn", "model.safetensors is missing or damaged"),
    ("model", "nothing", "is not a soft compressor: soft.json cannot be read"),
]


@pytest.mark.parametrize(("model", "compressor", "said"), FAULTS)
def test_a_wrong_compressor_shows_before_any_request(folder: Path, model: str, compressor: str, said: str) -> None:
    file = configured(folder, model, compressor)
    checked = CliRunner().invoke(policy, ["check", str(file)])
    lenient = CliRunner().invoke(policy, ["check", "--unset-ok", str(file)])
    ((name, doctor),) = soft_models(Settings(), load(file).upstreams["here"])

    assert (2, 0) == (checked.exit_code, lenient.exit_code)
    assert 1 == len(checked.stderr.splitlines())
    assert said in checked.stderr
    assert ("model m", "missing") == (name, doctor.state)
    assert said in doctor.detail


def test_readiness_tells_it_and_what_a_policy_asks_for_in_vain(folder: Path) -> None:
    for file, said in (
        (configured(folder, "model", "foreign"), "upstream here: model m: foreign was trained for other"),
        (configured(folder, "model", "sac", ratio=7), "soft asks for sac at 7x; upstream here has sac 4x/5x"),
        (configured(folder, "missing", "sac"), "missing holds no causal language model"),
    ):
        with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as proxy:
            found = _settled(proxy.url)
        assert "degraded" == found["state"]
        assert said in found["detail"]


def _settled(url: str) -> dict[str, Any]:
    """What /readyz says once the files have been looked at."""
    for _ in range(600):
        found: dict[str, Any] = httpx.get(f"{url}/readyz").json()["checks"]["soft"]
        if found != {"state": "ok", "detail": "being looked at"}:
            return found
        time.sleep(0.05)
    raise AssertionError("nobody has looked at the files")


def test_what_fits_is_said_to_fit(folder: Path) -> None:
    file = configured(folder, "model", "sac")
    checked = CliRunner().invoke(policy, ["check", str(file)])
    ((_, doctor),) = soft_models(Settings(), load(file).upstreams["here"])
    with LiveProxy(create_app(Settings(), load(file), FakeCompressor())) as proxy:
        found = _settled(proxy.url)

    assert 0 == checked.exit_code, checked.stderr
    assert ("ok", "model; sac at 4x, 5x") == (doctor.state, doctor.detail)
    assert {"state": "ok"} == found


def test_a_model_that_is_not_there_is_advice_to_a_check(folder: Path) -> None:
    checked = CliRunner().invoke(policy, ["check", str(configured(folder, "missing", "sac"))])

    assert 0 == checked.exit_code
    assert "upstreams.here.hf_models.m: there is no" in checked.stderr


def test_the_doctor_makes_its_round(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moosproxy.proxy.commands.doctor.command import doctor

    monkeypatch.setenv("MOOS_COMPRESSOR", "off")
    done = CliRunner().invoke(doctor, ["--config", str(configured(folder, "model", "sac"))])

    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "[ok] model m: model; sac at 4x, 5x" in done.output


def test_a_gguf_file_serves_and_is_kept_in_the_state_folder(tmp_path: Path) -> None:
    hand_made = pytest.importorskip("tests.compressor.soft.weights.hand_made", exc_type=ImportError)
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("llama"), "llama", "Q8_0")
    document = {"upstreams": {"here": {"kind": "transformers", "hf_models": {"m": {"path": str(file)}}}}}
    (tmp_path / "moos.yaml").write_text(yaml.safe_dump(document))
    settings = Settings(state_dir=tmp_path / "state")
    asked = {"model": "m", "messages": [{"role": "user", "content": "the fox"}], "max_tokens": 3, "temperature": 0}
    with LiveProxy(create_app(settings, load(tmp_path / "moos.yaml"), FakeCompressor())) as proxy:
        answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=asked, timeout=60)

    assert 200 == answer.status_code, answer.text
    assert 1 <= answer.json()["usage"]["completion_tokens"] <= 3
    assert 1 == len(list((tmp_path / "state" / "bases").iterdir()))
