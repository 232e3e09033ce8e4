"""Events in the forms that other systems read: one file for each form.

Owns how an event is told in that form. Refuses to know which events are asked for, and from where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO, Final

from keystead.audit.export.jsonl import write_jsonl
from keystead.audit.export.ocsf import write_ocsf
from keystead.audit.export.parquet import write_parquet

Writer = Callable[[Iterable[bytes], BinaryIO], int]
"""Writes events (JSON, in order) to a binary file and returns how many."""

FORMATS: Final[dict[str, Writer]] = {"jsonl": write_jsonl, "ocsf": write_ocsf, "parquet": write_parquet}

__all__ = ["FORMATS", "Writer"]
