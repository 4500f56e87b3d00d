"""Soft compressors on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from moosproxy.compressor.soft.config import METHODS, Method, Positions, SoftConfig, Start
from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.models.base import fingerprint
from moosproxy.compressor.soft.models.checkpoint import load, save
from tests.compressor.soft.conftest import ids, tiny
from tests.compressor.soft.test_methods import compressor, tensors_close


@pytest.mark.parametrize("method", METHODS)
def test_save_and_load_agree(method: Method, tmp_path: Path) -> None:
    made = compressor(tiny(), method)
    save(made, tmp_path)

    tensors_close(made.compress(ids(1, 47), 4), load(tmp_path, tiny()).compress(ids(1, 47), 4))


def test_the_configuration_names_base_method_and_ratio(tmp_path: Path) -> None:
    save(compressor(tiny(), "sac"), tmp_path)
    about = json.loads((tmp_path / "soft.json").read_text())

    assert {"name": "tiny-qwen2", "fingerprint": tiny().fingerprint} == about["base"]
    assert ("sac", [4]) == (about["config"]["method"], about["config"]["ratios"])


@pytest.mark.parametrize(
    ("method", "positions", "start"), [("icformer", "appended", "zero"), ("epl", "spread", "small")]
)
def test_a_checkpoint_from_before_there_were_forms_has_the_one_of_its_time(
    method: Method, positions: Positions, start: Start
) -> None:
    written = SoftConfig(method, (4,)).to_json()
    for name in ("positions", "start", "marker_beside"):
        del written[name]
    read = SoftConfig.from_json(written)

    assert ((positions, start), False) == (read.form, read.marker_beside)


@pytest.mark.parametrize("method", METHODS)
def test_a_configuration_survives_its_file(method: Method) -> None:
    config = SoftConfig(method, (4, 5))

    assert config.form == SoftConfig.from_json(config.to_json()).form
    assert config.name == SoftConfig.from_json(config.to_json()).name == method


def test_loading_for_another_base_model_says_which_it_was_trained_for(tmp_path: Path) -> None:
    save(compressor(tiny(), "sac"), tmp_path)

    with pytest.raises(BaseMismatch, match=r"trained for tiny-qwen2 .* not for tiny-llama"):
        load(tmp_path, tiny("llama"))
    with pytest.raises(BaseMismatch, match="moos train soft"):
        load(tmp_path, tiny(seed=5))


def test_the_fingerprint_is_of_the_weights_and_not_of_adapters_or_precision() -> None:
    base = tiny()
    before = base.fingerprint
    compressor(base, "sac")

    assert before == fingerprint(base.model) == fingerprint(base.model.to(torch.bfloat16))


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SoftError, match=r"soft\.json cannot be read"):
        load(tmp_path, tiny())
    save(compressor(tiny(), "sac"), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(SoftError, match="missing or damaged"):
        load(tmp_path, tiny())
