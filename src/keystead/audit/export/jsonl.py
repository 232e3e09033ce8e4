"""Events as they are recorded, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO


def write_jsonl(events: Iterable[bytes], file: BinaryIO) -> int:
    """How many events were written, each as its own bytes and a newline."""
    count = 0
    for event in events:
        file.write(event + b"\n")
        count += 1
    return count
