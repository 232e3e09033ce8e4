"""The server whose evidence is made and kept nowhere, for measuring only: `unkept_evidence.py dev …`, as `keystead dev …`.

Each use of a key has its event, and the journal's chain of hashes goes over it, but nothing is written, synced, or put into the
log: what durable evidence adds to evidence. Nothing in the project can be told to do so.
"""

from __future__ import annotations

import asyncio

from keystead.audit.commit import Committer, Submission
from keystead.audit.segment import SECTOR, Position, encode_group, genesis
from keystead.cli.main import main


class Chained:
    """Groups of uses, each answered once its records are chained, at the loop's next turn."""

    def __init__(self) -> None:
        self._at = Position(SECTOR, 0, genesis("w0"))
        self._waiting: list[Submission] = []

    def add(self, submission: Submission) -> None:
        """None; the call is answered with its group."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        self._waiting.append(submission)

    def _answer(self) -> None:
        group, self._waiting = self._waiting, []
        _, self._at = encode_group(self._at, [record for each in group for record in each.records])
        for submission in group:
            submission.done(None)


def keep_nowhere() -> None:
    """None; records of uses are written nowhere from now on."""
    submit, chained = Committer.submit, Chained()

    def submit_changes(committer: Committer, *submissions: Submission) -> None:
        for submission in submissions:
            if submission.transaction is None and submission.records:
                chained.add(submission)
            else:
                submit(committer, submission)

    Committer.submit = submit_changes  # type: ignore[method-assign]


if __name__ == "__main__":
    keep_nowhere()
    main()
