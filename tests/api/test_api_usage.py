"""Last uses on their way into the store: a few at a time, none lost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from keystead.api import scheduler
from keystead.api.scheduler import Scheduler, Work
from keystead.api.usage import LAST_USE, USES_UP_TO, LastUse, UsageTracker
from keystead.clock import ManualClock
from keystead.entropy import SystemEntropy
from keystead.errors import StorageUnavailable
from keystead.storage import MemoryBackend, Store


class Committed:
    """Commits at once, on the loop."""

    def __init__(self, store):
        self.store, self.sizes, self.fails = store, [], 0

    def submit(self, submission):
        self.sizes.append(sum(table == "last_use" for table, _ in submission.transaction.writes))
        problem = None
        if self.fails:
            self.fails -= 1
            problem = StorageUnavailable("full")
        else:
            (problem,) = self.store.commit([submission.transaction])
        submission.done(problem)


def use(number):
    return LastUse("Encrypt", float(number), "event", "request")


@pytest.fixture
def bench():
    store, usage, clock = Store.create(MemoryBackend(), bytes(32)), UsageTracker(), ManualClock()
    committer = Committed(store)
    with ThreadPoolExecutor(1) as pool:
        work = Work(
            store=store,
            committer=committer,
            usage=usage,
            clock=clock,
            wall=clock,
            entropy=SystemEntropy(),
            pool=pool,
            handlers={},
            exists=lambda _tx, _place: True,
            worker="w0",
            position=lambda: 7,
        )
        yield Scheduler(work), usage, committer, store, clock


def ticks(bench, count):
    async def run():
        for _ in range(count):
            await bench[0].keep_up()

    asyncio.run(run())


def stored(store):
    return {place: row.at for place, row in store.transaction().scan(LAST_USE, "")}


def reached(store):
    found = store.transaction().get(USES_UP_TO, "w0")
    return None if found is None else found.index


def test_many_uses_are_stored_in_several_commits_and_then_how_far_the_journal_was_read(bench):
    _, usage, committer, store, clock = bench
    for number in range(1000):
        usage.note(f"a/r/{number}", use(number))
    clock.advance(scheduler._FLUSH_INTERVAL)
    ticks(bench, 1)
    assert committer.sizes == [scheduler._FLUSHED_TOGETHER]
    assert reached(store) is None  # a crash now would need the journal from its beginning
    assert usage.recent("a/r/999") == use(999)
    ticks(bench, 3)
    assert max(committer.sizes) == scheduler._FLUSHED_TOGETHER
    assert stored(store) == {f"a/r/{number}": float(number) for number in range(1000)}
    assert reached(store) == 7
    assert not len(usage)


def test_a_flush_that_fails_loses_nothing(bench):
    _, usage, committer, store, clock = bench
    for number in range(300):
        usage.note(f"a/r/{number}", use(number))
    clock.advance(scheduler._FLUSH_INTERVAL)
    committer.fails = 1
    with pytest.raises(StorageUnavailable):
        ticks(bench, 1)
    assert len(usage) == 300
    assert reached(store) is None
    clock.advance(scheduler._FLUSH_INTERVAL)
    ticks(bench, 2)
    assert len(stored(store)) == 300
    assert reached(store) == 7


def test_a_newer_use_stays_when_an_older_one_is_given_back():
    usage = UsageTracker()
    usage.note("a", use(1))
    taken = usage.take(10)
    usage.note("a", use(2))
    usage.give_back(taken)
    assert usage.recent("a") == use(2)


def test_a_stop_stores_what_is_there_unless_it_is_much(bench):
    scheduling, usage, _, store, _ = bench
    usage.note("a/r/k", use(1))
    asyncio.run(scheduling.flush())
    assert stored(store) == {"a/r/k": 1.0}
    for number in range(scheduler._FLUSHED_AT_STOP + 1):
        usage.note(f"a/r/{number}", use(number))
    asyncio.run(scheduling.flush())
    assert len(stored(store)) == 1  # the journal has the others
