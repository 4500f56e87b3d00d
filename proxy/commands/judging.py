"""Who answers, from the options of a command: a GGUF file in this process, or a model behind an API."""

from __future__ import annotations

import os
from pathlib import Path

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer


def answerer(model: str, base_url: str | None, tokenizer: str, window: int, threads: int | None) -> Answerer:
    """Raises CompressorError for a file that is not there or cannot be loaded."""
    if base_url:
        from moosproxy.compressor.evaluation.answers.endpoint import EndpointAnswerer

        return EndpointAnswerer(base_url, model, os.environ.get("OPENAI_API_KEY"), tokenizer)
    if not Path(model).is_file():
        raise CompressorError(f"no file {model}; give a GGUF file, or --base-url for a model elsewhere")
    from moosproxy.proxy.bench.judge.gguf import GgufAnswerer

    return GgufAnswerer(Path(model), window, threads)


def judge(
    file: Path | None, base_url: str | None, model: str | None, tokenizer: str, window: int, threads: int | None
) -> Answerer | None:
    """The judge that --judge or --base-url with --model name; None for none. Raises CompressorError."""
    if bool(base_url) != bool(model):
        raise CompressorError("--base-url and --model go together")
    if file and base_url:
        raise CompressorError("a GGUF file or --base-url, not both")
    if base_url and model:
        return answerer(model, base_url, tokenizer, window, threads)
    return answerer(str(file), None, tokenizer, window, threads) if file else None
