"""`moos pull`: known good GGUF models, fetched once, checked, and told how a policy names them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import yaml

from moosproxy.proxy.upstreams.llama_cpp.hub import downloader

_CHUNK = 1 << 22
_MB = 1e6


class Known(NamedTuple):
    """One file of a Hugging Face repository at a fixed revision. size: bytes."""

    repo: str
    revision: str
    file: str
    size: int
    sha256: str
    licence: str


# Instruct models with a chat template in the file, 4 bits (Q4_K_M), as their makers publish them.
KNOWN = {
    "qwen2.5-0.5b": Known(
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        "9217f5db79a29953eb74d5343926648285ec7e67",
        "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        491_400_032,
        "74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db",
        "Apache-2.0",
    ),
    "qwen2.5-1.5b": Known(
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        "91cad51170dc346986eccefdc2dd33a9da36ead9",
        "qwen2.5-1.5b-instruct-q4_k_m.gguf",
        1_117_320_736,
        "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        "Apache-2.0",
    ),
    "qwen2.5-coder-1.5b": Known(
        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "Apache-2.0",
    ),
    "qwen2.5-3b": Known(
        "Qwen/Qwen2.5-3B-Instruct-GGUF",
        "7dabda4d13d513e3e842b20f0d435c732f172cbe",
        "qwen2.5-3b-instruct-q4_k_m.gguf",
        2_104_932_768,
        "626b4a6678b86442240e33df819e00132d3ba7dddfe1cdc4fbb18e0a9615c62d",
        "Qwen Research (not for commercial use)",
    ),
    "qwen3-4b": Known(
        "Qwen/Qwen3-4B-GGUF",
        "bc640142c66e1fdd12af0bd68f40445458f3869b",
        "Qwen3-4B-Q4_K_M.gguf",
        2_497_280_256,
        "7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5",
        "Apache-2.0",
    ),
}


@click.command()
@click.argument("name", required=False)
def pull(name: str | None) -> None:
    """Fetch the model NAME for this machine; without NAME: list what there is.

    The file comes to the cache of huggingface-hub (HF_HOME), where an interrupted download goes on, and is checked
    against its SHA-256. HF_ENDPOINT names a mirror. Nothing is asked of the network once the file is there.
    """
    if name is None:
        for line in _listing():
            click.echo(line)
        return
    known = KNOWN.get(name)
    if known is None:
        raise click.UsageError(f"no model {name!r} is known; `moos pull` lists those that are")
    path = _fetched(known)
    _check(path, known)
    local = {"kind": "llama_cpp", "models": {name: {"path": str(path)}}, "model_map": {"*": name}}
    click.echo("In the policy file:\n", err=True)
    click.echo(yaml.safe_dump({"upstreams": {"local": local}}, sort_keys=False), nl=False)


def _listing() -> Iterator[str]:
    for name, known in KNOWN.items():
        yield f"{name:<20} {known.size / _MB:>6.0f} MB  {known.licence:<40} {known.repo}"


def _fetched(known: Known) -> Path:
    try:
        hf_hub_download = downloader()
    except ImportError:
        raise click.ClickException("this needs huggingface_hub: pip install 'moosproxy[local]'") from None
    try:
        return Path(hf_hub_download(known.repo, known.file, revision=known.revision, local_files_only=True))
    except Exception:  # not there yet; the hub has several errors for it
        click.echo(f"{known.file}, {known.size / _MB:.0f} MB, licence: {known.licence}", err=True)
    try:
        return Path(hf_hub_download(known.repo, known.file, revision=known.revision))
    except Exception as fault:  # the hub's own errors, and whatever its HTTP client raises
        raise click.ClickException(
            f"{known.file} could not be fetched ({type(fault).__name__}); run the command again, it goes on where "
            f"it stopped. Without a network: fetch https://huggingface.co/{known.repo}/resolve/{known.revision}/"
            f"{known.file} elsewhere and give its path in the policy file."
        ) from None


def _check(path: Path, known: Known) -> None:
    """Raises ClickException for a file that is not the one that is known."""
    size, digest = path.stat().st_size, hashlib.sha256()
    if size == known.size:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    if digest.hexdigest() != known.sha256:
        raise click.ClickException(
            f"{path} is not the file that was expected ({size:,} of {known.size:,} bytes, SHA-256 differs); "
            "delete it and run the command again"
        )
