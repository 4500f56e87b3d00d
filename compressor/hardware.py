"""What training and judging ask of the machine: bf16 where it computes in it, and memory that is kept."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

import torch

# M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD of malloc.h; the last one's highest legal value is 32 MiB.
_MALLOC_OPTIONS = ((-1, 2**31 - 1), (-2, 1 << 26), (-3, 1 << 25))


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware itself computes in bf16; what emulates it is up to eight times as slow as in fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supported = torch.cpu._is_avx512_bf16_supported  # the public namespace has no such question
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and bool(supported())  # type: ignore[no-untyped-call]


def amp(device: torch.device) -> torch.autocast:
    """bf16 where the hardware has it, else no autocast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device))


def keep_freed_memory() -> None:
    """Tells glibc's malloc not to hand freed tensors back to the kernel: a fifth of the time of a step on CPU."""
    libc = ctypes.util.find_library("c")
    if libc is None or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(libc), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOC_OPTIONS:
            mallopt(option, value)
