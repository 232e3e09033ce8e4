"""What operations about events use: the index of all events, and the store outside that trails deliver to."""

from __future__ import annotations

import msgspec

from keystead.audit.index import Index
from keystead.audit.sink import Sink


class Trails(msgspec.Struct, frozen=True):
    """`sink` is None where no store is configured."""

    index: Index
    sink: Sink | None
