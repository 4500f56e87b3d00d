"""GGUF files as base models: the same model as the one that was written, and the same as llama.cpp reads."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("peft")

import torch

from moosproxy.compressor.soft.errors import BaseMismatch, SoftError
from moosproxy.compressor.soft.weights import gguf, memory, prints
from moosproxy.compressor.soft.weights.loading import directory, load
from moosproxy.compressor.soft.weights.loading import state_folder as usual_state
from tests.compressor.soft.weights import hand_made
from tests.proxy.tiny_gguf import needs_llama_cpp

CHAT = [{"role": "user", "content": "Isn't the fox 56?"}]


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_file_is_the_model_that_was_written(tmp_path: Path, family: str, tied: bool) -> None:
    written = hand_made.model(family, tied=tied)
    loaded, _ = load(hand_made.write(tmp_path / "m.gguf", written, family), state=tmp_path)

    ids = torch.arange(3, 43)[None]
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(ids).logits, written(ids).logits, atol=1e-4, rtol=1e-4)
    assert tied == loaded.config.tie_word_embeddings
    assert (loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight) == tied


@pytest.mark.parametrize("kind", ["Q8_0", "F16", "BF16"])
def test_what_is_quantised_is_dequantised_once_and_kept(tmp_path: Path, kind: str) -> None:
    written = hand_made.model("qwen2")
    file = hand_made.write(tmp_path / "m.gguf", written, "qwen2", kind)
    loaded, _ = load(file, state=tmp_path)
    folder = directory(file, tmp_path)
    before = (folder / "model.safetensors").stat().st_mtime_ns

    again, _ = load(file, state=tmp_path)

    weight = written.model.layers[0].mlp.gate_proj.weight
    torch.testing.assert_close(loaded.model.model.layers[0].mlp.gate_proj.weight, weight, atol=0.01, rtol=0.01)
    assert torch.float32 == loaded.dtype
    assert before == (folder / "model.safetensors").stat().st_mtime_ns
    assert loaded.fingerprint == again.fingerprint
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert [folder] == list((tmp_path / "bases").iterdir())
    loaded.model.save_pretrained(tmp_path / "saved")


def test_a_changed_file_is_made_anew(tmp_path: Path) -> None:
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2")
    first = directory(file, tmp_path)
    hand_made.write(file, hand_made.model("qwen2", tied=False), "qwen2")

    assert first != directory(file, tmp_path)


def test_template_and_ends_come_from_the_file(tmp_path: Path) -> None:
    loaded, tokenizer = load(
        hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2"), state=tmp_path
    )

    text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    assert "<|im_start|>user\nIsn't the fox 56?<|im_end|>\n<|im_start|>assistant\n" == text
    ends = [tokenizer.convert_tokens_to_ids(each) for each in ("<|endoftext|>", "<|im_end|>")]
    assert ends == loaded.model.generation_config.eos_token_id
    assert text == tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))


@needs_llama_cpp
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_llama_cpp_reads_the_same_tokens_and_draws_the_same_ones(tmp_path: Path, family: str) -> None:
    from tests.compressor.soft.weights.llama_cpp import answer_of, opened, parted

    file = hand_made.write(tmp_path / "m.gguf", hand_made.model(family), family)
    base, tokenizer = load(file, state=tmp_path)
    with opened(file) as other:
        prompt = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(prompt, add_special_tokens=False)
        assert ids == other.tokenize(prompt.encode(), add_bos=False, special=True)
        assert parted(base, ids, answer_of(other, ids, 24)) is None


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    whole = hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2").read_bytes()
    cut, head, other = (tmp_path / f"{name}.gguf" for name in ("cut", "head", "other"))
    cut.write_bytes(whole[:-2000])
    head.write_bytes(whole[:3000])
    other.write_bytes(b"no model at all")
    said = {
        cut: rf"cut off \({len(whole) - 2000} of {len(whole)} bytes\): fetch it again",
        head: "cut off, damaged or no GGUF",
        other: "does not begin with GGUF",
        tmp_path / "gone.gguf": "gone.gguf cannot be read: No such file",
    }
    for file, words in said.items():
        with pytest.raises(SoftError, match=words) as told:
            load(file, state=tmp_path)
        assert 1 == len(str(told.value).splitlines())


def test_other_families_are_named(tmp_path: Path) -> None:
    made = hand_made.model("qwen2")
    gemma = hand_made.write(tmp_path / "g.gguf", made, "gemma2")
    with pytest.raises(BaseMismatch, match="is a gemma2 model; soft compression reads llama and qwen2"):
        load(gemma, state=tmp_path)
    scaled = hand_made.write(tmp_path / "s.gguf", made, "qwen2", qwen2__rope__scaling__type="yarn")
    with pytest.raises(BaseMismatch, match="scales its positions"):
        load(scaled, state=tmp_path)


def test_weights_of_another_family_under_a_known_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(SoftError, match="too many or too few weights for its family"):
        load(hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "llama"), state=tmp_path)
    assert [] == list((tmp_path / "bases").iterdir())


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2")
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    with pytest.raises(SoftError, match=r"pip install 'moosproxy\[soft\]' \(gguf is missing\)"):
        load(file, state=tmp_path)


def test_too_little_memory_is_told_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2")
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 20)
    with pytest.raises(SoftError, match=r"not enough memory to read m.gguf: it takes 1.0 GB, and 0.0 GB are free"):
        load(file, state=tmp_path)


def test_free_memory_is_what_the_system_says(tmp_path: Path) -> None:
    said = tmp_path / "meminfo"
    said.write_text("MemTotal: 9 kB\nMemAvailable:     2048 kB\n")
    assert 2048 * 1024 == memory.free_bytes(said)
    assert memory.free_bytes(tmp_path / "none") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = hand_made.write(tmp_path / "m.gguf", hand_made.model("qwen2"), "qwen2")
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(SoftError, match="cannot be written"):
        load(file, state=state)


def test_the_state_folder_is_the_proxys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOOS_STATE_DIR", str(tmp_path))
    assert tmp_path == usual_state()
    monkeypatch.delenv("MOOS_STATE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert tmp_path / "cache" / "moosproxy" == usual_state()


@pytest.mark.parametrize("tied", [True, False])
def test_a_fingerprint_needs_no_loaded_model(tmp_path: Path, tied: bool) -> None:
    made: Any = hand_made.model("llama", tied=tied)
    made.save_pretrained(tmp_path / "hf")
    file = hand_made.write(tmp_path / "m.gguf", made, "llama", "Q8_0")

    for folder in (tmp_path / "hf", directory(file, tmp_path)):
        if folder.name == "hf":
            from moosproxy.compressor.soft.models.base import fingerprint

            assert fingerprint(made) == prints.peek(folder)
        else:
            assert load(file, state=tmp_path)[0].fingerprint == prints.peek(folder)
