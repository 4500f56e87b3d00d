"""What holds for every test."""

import os
import sys

import pytest
from hypothesis import settings

# Before anyone imports torch: its threads wait without spinning, and leave the core to the process beside.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A proxy of a test writes no ledger among the user's files; tests of the ledger name their own.
os.environ["MOOS_LEDGER"] = "off"

# How long an example takes says something about the machine's other users, nothing about the code.
settings.register_profile("moosproxy", deadline=None)
settings.load_profile("moosproxy")

# Where a test takes a second or more: it starts processes, or loads models. A trailing slash is a whole room.
LONGEST = (
    "tests/proxy/rewriting/test_fit_context.py",
    "tests/proxy/commands/",
    "tests/proxy/upstreams/",
    "tests/proxy/stability/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take longest come last: whoever broke something quick reads it within seconds."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None, item.nodeid.startswith(LONGEST)))


def pytest_unconfigure() -> None:
    """llama-cpp-python opens the null device at import and leaves it to the interpreter, which would complain."""
    if llama := sys.modules.get("llama_cpp._utils"):
        llama.outnull_file.close()
        llama.errnull_file.close()
