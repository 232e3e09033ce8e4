"""The server without evidence, for measuring only: `without_evidence.py dev …`, as `keystead dev …`.

Uses of keys have no event and nothing of them is written; changes are, but have no event either. The server is changed here,
in this program's own process; nothing in the project can be told to leave evidence out.
"""

from __future__ import annotations

from keystead.api import pipeline
from keystead.audit.commit import Committer, Submission
from keystead.cli.main import main


def _no_records(*_: object) -> tuple[bytes, ...]:
    return ()


_submit = Committer.submit


def _submit_changes(self: Committer, submission: Submission) -> None:
    if submission.transaction is None:
        submission.done(None)
    else:
        _submit(self, submission)


def leave_out() -> None:
    """None; this process leaves evidence out from now on."""
    pipeline.records_of = _no_records
    Committer.submit = _submit_changes  # type: ignore[method-assign]


if __name__ == "__main__":
    leave_out()
    main()
