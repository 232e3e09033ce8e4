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
            try:
                state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == pid and state != "Z":
                found.add(int(entry.name))
    return found


def log_process(pid: int) -> int | None:
    """The log's process of a worker; None if it has none."""
    return next(iter(children(pid)), None)
