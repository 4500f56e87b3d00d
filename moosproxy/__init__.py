"""What users import: the compressor as a library, and the proxy as an application.

In a checkout the rooms `proxy`, `compressor` and `policies` lie beside this folder, which links to them; in an
installed package they lie inside it. Either way there is one top-level name, `moosproxy`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moosproxy.compressor import (
        CompressionResult,
        CompressionSettings,
        Compressor,
        CompressorError,
        Kind,
    )
    from moosproxy.proxy.app import create_app

if not (Path(__file__).parent / "proxy").is_dir():  # a checkout by a git that makes no links, as on Windows
    __path__.append(str(Path(__file__).parent.parent))

__version__ = "0.1.0"

_HOMES = {
    "CompressionResult": "compressor",
    "CompressionSettings": "compressor",
    "Compressor": "compressor",
    "CompressorError": "compressor",
    "Kind": "compressor",
    "create_app": "proxy.app",
}

__all__ = ["CompressionResult", "CompressionSettings", "Compressor", "CompressorError", "Kind", "create_app"]


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for: importing moosproxy does no work."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
