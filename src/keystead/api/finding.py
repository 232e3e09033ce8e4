"""Step 4, finding what requests act on: records that have to be read for it are read for all that came together at once.

One read for many takes less than as many reads, and the code that proves, opens and decodes a record is warm from the
second one on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from keystead.api.parts import Attempt, Step
from keystead.storage import NotInMemoryError, Store

_LOOKS: Final = 2
"""An alias, then its key. Who needs more, or asks for what is not there, then reads alone."""

Through = Callable[[Step, Sequence[Attempt]], Sequence[Attempt]]
"""Takes requests through a step: those that got through it; what failed was answered."""


def find_all(through: Through, attempts: Sequence[Attempt], store: Store) -> Sequence[Attempt]:
    """The requests whose targets were found, which they hold now.

    A request that has to wait for a record is interrupted and begins the step anew: it changes nothing.
    """
    waiting: list[tuple[Attempt, NotInMemoryError]] = []

    def find(coming: Iterator[Attempt], out: list[Attempt]) -> None:
        for attempt in coming:
            operation = attempt.route.offered
            assert operation is not None
            try:
                attempt.targets = operation.targets(attempt.call, attempt.input) or operation.nothing()
            except NotInMemoryError as record:
                waiting.append((attempt, record))
                out.append(attempt)

    found: list[Attempt] = []
    for _ in range(_LOOKS):
        if len(attempts) < 2:  # noqa: PLR2004  one alone has nobody to share with
            break
        waiting.clear()
        with store.rows.interrupting():
            found += through(find, attempts)
        attempts = [attempt for attempt, _ in waiting]
        if len(waiting) > 1:
            store.rows.fetch(record for _, record in waiting)
    return [*found, *through(find, attempts)] if attempts else found
