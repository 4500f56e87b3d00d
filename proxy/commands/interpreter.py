"""How the interpreter shares its time in a process that serves requests while it compresses."""

from __future__ import annotations

import gc
import sys

# A thread that compresses gives the event loop its turn after this long; the default of 5 ms, several times per
# request, would be felt by everyone else.
_SWITCH_S = 0.0005
# A full collection walks over everything that lives and holds all threads: 33 to 39 ms were measured during the
# compression of a million tokens, whose windows and spans trigger it again and again. Little here lives in cycles.
_YOUNG = 50_000
_MIDDLE = 20
_OLD = 100


def tune_interpreter() -> None:
    """Called by the worker processes of `moos serve`, never at import or by a library's user."""
    sys.setswitchinterval(_SWITCH_S)
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def freeze() -> None:
    """Takes what lives now, code and weights above all, out of every later collection. Takes a moment."""
    gc.collect()
    gc.freeze()
