"""What holds for every test."""

from hypothesis import settings

# How long an example takes says something about the machine's other users, nothing about the code.
settings.register_profile("moosproxy", deadline=None)
settings.load_profile("moosproxy")
