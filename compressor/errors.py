"""The errors of this room.

CompressorError
├── SettingsError      a setting of a wrong type or outside its range, an unknown kind or engine, a bad expression
├── ArgumentError      an argument of a wrong type that is no setting: the text, the spans; a TypeError, too
└── CheckpointError    a checkpoint directory that is missing, damaged or of a foreign form
"""


class CompressorError(Exception):
    """Base of everything this room raises on purpose. The message names the fault and the fix."""


class SettingsError(CompressorError):
    """A setting has a wrong type, is outside its range or unknown."""


class ArgumentError(CompressorError, TypeError):
    """An argument has a wrong type."""


class CheckpointError(CompressorError):
    """A checkpoint cannot be loaded; the message names the file."""
