"""The least that evidence in Keystead's formats can cost, for measuring only: `least_evidence.py dev …`, as `keystead dev …`.

As `synced_only.py`, and for each group as many SHA-256 as its evidence has, over as many bytes: the journal's chain goes
over the group's first event and over what differs in the others; of each entry that its uses share, the leaf goes over the ids of all, and
five commitments and the tree's node over little. Nothing is made, encoded, cut, read again or put into files: what is left is what no other program with these formats could leave out.
"""

from __future__ import annotations

from hashlib import sha256

from synced_only import Writes, group_bytes
from without_evidence import leave_out

from keystead.cli.main import main
from keystead.tlog.together import MOST

SHORT = 6
"""Hashes of an entry over a salt and a digest or two digests, beside that over all of it."""
_PAIR, _ENTRY = bytes(65), bytes(1220)


class Hashed(Writes):
    """Groups of uses, each answered after its hashes and its write."""

    def _answer(self) -> None:
        digest = sha256
        digest(bytes(group_bytes(len(self._waiting)))).digest()
        for _ in self._waiting[::MOST]:
            digest(_ENTRY).digest()
            for _ in range(SHORT):
                digest(_PAIR).digest()
        super()._answer()


if __name__ == "__main__":
    leave_out(Hashed().add)
    main()
