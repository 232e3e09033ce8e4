"""What services hold under keys: versions of objects, for whoever gives advice on a key.

Services do not know each other, so each says here what it has, and the application hands all of them to the advice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from keystead.analysis.advisor import Held
from keystead.storage import Transaction


class Holding(msgspec.Struct, frozen=True):
    """What was found, by the ARN of the key; `notes` say in words what was not looked at."""

    held: Mapping[str, tuple[Held, ...]] = {}
    notes: tuple[str, ...] = ()


class Holdings(Protocol):
    """One service's."""

    def under(self, tx: Transaction, account: str, keys: Collection[str], most: int) -> Holding:
        """What the account holds under the keys with these ARNs; `most` things are looked at, all together."""
        ...
