"""The least that evidence in Keystead's formats can cost, for measuring only: `least_evidence.py dev …`, as `keystead dev …`.

As `synced_only.py`, and for each use as many SHA-256 as its evidence has, over as many bytes: the journal's chain and the
commitment to the whole event go over all of it, four more commitments, the entry's leaf and the tree's node over little. Nothing
is made, encoded, cut, read again or put into files: what is left is what no other program with these formats could leave out.
"""

from __future__ import annotations

from hashlib import sha256

from synced_only import RECORD, Writes
from without_evidence import leave_out

from keystead.cli.main import main

WHOLE, SHORT = 2, 6
"""Hashes over an event, and over a salt and a value or two digests."""
_EVENT, _PAIR = bytes(RECORD), bytes(65)


class Hashed(Writes):
    """Groups of uses, each answered after its hashes and its write."""

    def _answer(self) -> None:
        digest = sha256
        for _ in self._waiting:
            for _ in range(WHOLE):
                digest(_EVENT).digest()
            for _ in range(SHORT):
                digest(_PAIR).digest()
        super()._answer()


if __name__ == "__main__":
    leave_out(Hashed().add)
    main()
