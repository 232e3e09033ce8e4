"""What the kernel does for a process that holds keys: nobody else reads its memory, and it ends with its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Forbid core dumps and tracing by other processes of the same user (prctl(2), PR_SET_DUMPABLE)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def end_with(parent: int) -> bool:
    """True; this process will get SIGTERM when its parent ends, however that comes about. False if it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # Linux has it
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
