"""What holds for every test."""

import sys

from hypothesis import settings

# How long an example takes says something about the machine's other users, nothing about the code.
settings.register_profile("moosproxy", deadline=None)
settings.load_profile("moosproxy")


def pytest_unconfigure() -> None:
    """llama-cpp-python opens the null device at import and leaves it to the interpreter, which would complain."""
    if llama := sys.modules.get("llama_cpp._utils"):
        llama.outnull_file.close()
        llama.errnull_file.close()
