"""What operations about events use: the index of all events, the store outside that trails deliver to, and which trails there are."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from keystead.audit.index import Index
from keystead.audit.sink import Sink
from keystead.storage import Transaction


class Trails(msgspec.Struct, frozen=True):
    """`sink` is None where no store is configured; `named` says whether there is a trail with an ARN."""

    index: Index
    sink: Sink | None
    named: Callable[[Transaction, str], bool]
