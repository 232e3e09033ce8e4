"""Processes of a server that runs apart, found as anybody finds them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(6000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come to that")


def children(pid: int) -> set[int]:
    """The processes that `pid` started and that run, whichever of its threads did."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            state, parent = _about(int(entry.name))
            if parent == pid and state != "Z":
                found.add(int(entry.name))
    return found


def runs(pid: int) -> bool:
    """Whether there is that process and it has not ended, whoever is to hear of its end."""
    return _about(pid)[0] not in {"", "Z"}


def _about(pid: int) -> tuple[str, int]:
    """Its state, empty if there is no such process, and who started it."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    return state, int(parent)


def log_process(pid: int) -> int | None:
    """The log's process of a worker; None if it has none."""
    return next(iter(children(pid)), None)
