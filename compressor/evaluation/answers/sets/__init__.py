"""Questions by what they are about: every module here that has SETS."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from moosproxy.compressor.evaluation.answers.base import QuestionSet


def every() -> dict[str, QuestionSet]:
    """All sets by name, in the order of their modules."""
    found: dict[str, QuestionSet] = {}
    for module in pkgutil.iter_modules(__path__):
        for one in getattr(import_module(f"{__name__}.{module.name}"), "SETS", ()):
            found[one.name] = one
    return found
