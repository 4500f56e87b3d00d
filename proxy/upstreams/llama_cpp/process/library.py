"""What all of llama.cpp in a process shares: what it says, and how it is told to stop. In the child."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections import deque
from typing import Any

from llama_cpp import llama_cpp as lib

_ERROR = 4
"""Level of llama.cpp's log."""


def flag_reader() -> Any:
    """A C function that tells whether the first byte behind a pointer is set.

    llama.cpp asks it before every operation of a pass, hundreds of times a token, from its own thread. A Python
    function would need the interpreter's lock each time; strlen of a one-letter text is that flag, without Python.
    """
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    return ctypes.cast(libc.strlen, lib.ggml_abort_callback)


_listener: Any = None


def listen() -> deque[str]:
    """The last complaints of llama.cpp; everything else that it would print is dropped."""
    global _listener  # llama.cpp holds it for the life of the process, as its one listener
    complaints: deque[str] = deque(maxlen=2)

    @lib.llama_log_callback  # type: ignore[untyped-decorator,unused-ignore]
    def heard(level: int, text: bytes, _: Any) -> None:
        if level == _ERROR and text.strip():
            complaints.append(text.decode("utf-8", "replace").strip()[:300])

    _listener = heard
    lib.llama_log_set(heard, ctypes.c_void_p(0))
    return complaints
