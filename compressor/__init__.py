"""Text in, shorter text out. Knows no HTTP, no YAML, no Redis."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moosproxy.compressor.compressor import Compressor
    from moosproxy.compressor.errors import ArgumentError, CheckpointError, CompressorError, SettingsError
    from moosproxy.compressor.kept import KeptSpans
    from moosproxy.compressor.result import CompressionResult
    from moosproxy.compressor.settings import CompressionSettings, Kind, OutlierReading

_HOMES = {
    "ArgumentError": "errors",
    "CheckpointError": "errors",
    "CompressionResult": "result",
    "CompressionSettings": "settings",
    "Compressor": "compressor",
    "CompressorError": "errors",
    "KeptSpans": "kept",
    "Kind": "settings",
    "OutlierReading": "settings",
    "SettingsError": "errors",
}

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "CompressionResult",
    "CompressionSettings",
    "Compressor",
    "CompressorError",
    "KeptSpans",
    "Kind",
    "OutlierReading",
    "SettingsError",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for, so that `moos --help` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"moosproxy.compressor.{_HOMES[name]}"), name)
