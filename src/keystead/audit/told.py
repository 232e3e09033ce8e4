"""Events in pieces: what they have alike with others is one object, by which it is known without being looked at."""

from __future__ import annotations

import msgspec


class Told(msgspec.Struct, frozen=True, gc=False, eq=False):
    """An event that is `before`, `middle` and `behind`, put together only where somebody reads it (`bytes(told)`).

    Whoever makes several that begin or end alike uses the same objects for it; equal pieces that are not are as good, but slower.
    `size` is how many bytes it has.
    """

    before: bytes
    middle: bytes
    behind: bytes
    size: int

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"%b%b%b" % (self.before, self.middle, self.behind)

    def __repr__(self) -> str:
        return f"<event of {self.size} bytes>"


Record = bytes | Told
"""What the journal is to have."""


def told(before: bytes, middle: bytes, behind: bytes) -> Told:
    """The event of these pieces."""
    return Told(before, middle, behind, len(before) + len(middle) + len(behind))
