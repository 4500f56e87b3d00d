"""The errors of soft compression. Each message names the fault and the fix.

SoftError
├── BaseMismatch       the checkpoint was trained for other weights, or the model is of a family not supported
├── RatioNotTrained    a ratio that this checkpoint never learned
└── ContextTooLong     more tokens than the model, or the bound set by the operator, allows
"""

from moosproxy.compressor.errors import CompressorError


class SoftError(CompressorError):
    """Base of what soft compression raises on purpose."""


class BaseMismatch(SoftError):
    """The base model is not the one that the compressor was trained for."""


class RatioNotTrained(SoftError):
    """The checkpoint has no such ratio."""


class ContextTooLong(SoftError):
    """The context does not fit."""
