"""The server without evidence, for measuring only: `without_evidence.py dev …`, as `keystead dev …`.

Uses of keys have no event and nothing of them is written; changes are, but have no event either. The server is changed here,
in this program's own process; nothing in the project can be told to leave evidence out.
"""

from __future__ import annotations

from collections.abc import Callable

from keystead.api import pipeline
from keystead.audit.commit import Committer, Submission
from keystead.cli.main import main


def _no_records(*_: object) -> tuple[bytes, ...]:
    return ()


def _answer(_committer: Committer, submission: Submission) -> None:
    submission.done(None)


def leave_out(answer: Callable[[Committer, Submission], None] = _answer) -> None:
    """None; uses of keys have no records from now on, and `answer` is called for each in the place of the writer."""
    submit = Committer.submit

    def submit_changes(committer: Committer, *submissions: Submission) -> None:
        for submission in submissions:
            if submission.transaction is None:
                answer(committer, submission)
            else:
                submit(committer, submission)

    pipeline.records_of = _no_records
    Committer.submit = submit_changes  # type: ignore[method-assign]


if __name__ == "__main__":
    leave_out()
    main()
