"""Processes of a server that runs apart, found as anybody finds them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

BRIEF = {"GOGC": "off", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "1"}
"""Variables of Go programs that live for seconds, as Terraform and its providers: a third went into collecting garbage."""


def wait_until(condition: Callable[[], _T]) -> _T:
    """What `condition` returned, once that is something; the bound is what no machine is too slow for."""
    for _ in range(20_000):
        if found := condition():
            return found
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


def state_of(pid: int) -> str:
    """A letter, as /proc has it: `T` stands still."""
    return _about(pid)[0]


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
