"""Events in pieces: what they have alike with others is one object, by which it is known without being looked at."""

from __future__ import annotations


class Told:
    """An event that is `before`, `middle` and `behind`, put together only where somebody reads it (`bytes(told)`).

    Whoever makes several that begin or end alike uses the same objects for it; equal pieces that are not are as good, but slower.
    """

    __slots__ = ("before", "behind", "middle", "size")

    def __init__(self, before: bytes, middle: bytes, behind: bytes) -> None:
        self.before = before
        self.middle = middle
        self.behind = behind
        self.size = len(before) + len(middle) + len(behind)

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"%b%b%b" % (self.before, self.middle, self.behind)


Record = bytes | Told
"""What the journal is to have."""
