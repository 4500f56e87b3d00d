"""The errors of this room.

CompressorError
├── SettingsError      a setting outside its range, an unknown protected kind, a bad regular expression
└── CheckpointError    a checkpoint directory that is missing, damaged or of a foreign form
"""


class CompressorError(Exception):
    """Base of everything this room raises on purpose. The message names the fault and the fix."""


class SettingsError(CompressorError):
    """A setting is outside its range or unknown."""


class CheckpointError(CompressorError):
    """A checkpoint cannot be loaded; the message names the file."""
