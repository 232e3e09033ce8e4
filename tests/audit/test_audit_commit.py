"""The committer with the real store and the real journal: complete, in order, refusing when it must."""

import copy
import threading
from collections import deque

import msgspec
import pytest

from keystead.audit import commit, outbox
from keystead.audit.commit import Committer, Submission
from keystead.audit.journal import Journal
from keystead.audit.segment import SECTOR
from keystead.errors import JournalError, StorageConflict, StorageTampered, StorageUnavailable
from keystead.storage.memory import MemoryBackend
from keystead.storage.store import Store
from keystead.storage.table import Table


class Thing(msgspec.Struct, frozen=True):
    value: int


THINGS = Table("things", Thing)
ROOT = bytes(range(32))


class Loop:
    """An event loop's `call_soon_threadsafe`, as far as the committer knows it."""

    def __init__(self):
        self.waiting = deque()
        self.closed = False

    def call_soon(self, callback):
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.waiting.append(callback)

    def run(self):
        while self.waiting:
            self.waiting.popleft()()


class Bench:
    """A committer whose writer runs when the test says so, and what its callers were told."""

    def __init__(self, root, **options):
        self.backend = MemoryBackend()
        self.store = Store.create(self.backend, ROOT)
        self.journal = Journal.open(root, "w0", segment_size=64 * SECTOR, prepare_ahead=False)
        self.loop = Loop()
        self.committer = Committer(self.store, self.journal, self.loop.call_soon, **options)
        self.answers = []

    def submit(self, record, transaction=None):
        records = () if record is None else (record,)
        self.committer.submit(
            Submission(records, transaction, lambda error: self.answers.append((record, error)))
        )

    def put(self, key, value):
        transaction = self.store.transaction()
        transaction.put(THINGS, key, Thing(value))
        return transaction

    def turn(self):
        self.committer._turn()
        self.loop.run()

    def outbox(self):
        return [row.event for _, row in self.store.transaction().scan(outbox.OUTBOX, "")]

    def events(self):
        return [event for _, event in self.journal.read()]


@pytest.fixture
def bench(root):
    return Bench(root)


def test_a_group_is_durable_before_anyone_hears(bench):
    bench.submit(b"read")
    bench.submit(b"change", bench.put("a", 1))
    assert bench.answers == []
    bench.turn()
    assert bench.answers == [(b"read", None), (b"change", None)]
    assert bench.events() == [b"read", b"change"]
    assert bench.store.transaction().get(THINGS, "a") == Thing(1)


def test_of_many_uses_that_wait_together_those_that_are_alike_stand_together(bench):
    calls = [b"%b %d" % (kind, number) for number in range(4) for kind in (b"encrypt", b"decrypt", b"sign")]
    for call in calls:
        bench.submit(call)
    bench.turn()
    assert bench.answers == [(call, None) for call in calls]
    assert bench.events() == sorted(calls)


def test_events_beside_a_change_stay_in_their_order(bench):
    calls = [b"use %d" % number for number in reversed(range(12))]
    for number, call in enumerate(calls):
        bench.submit(call, bench.put("a", 1) if number == 6 else None)
    bench.turn()
    assert bench.events() == calls


def test_results_come_in_one_callback_per_group(bench):
    for number in range(5):
        bench.submit(b"%d" % number)
    bench.committer._turn()
    assert len(bench.loop.waiting) == 1


def test_a_conflict_leaves_no_event_and_the_others_alone(bench):
    first, second = bench.store.transaction(), bench.store.transaction()
    for number, transaction in enumerate((first, second)):
        assert transaction.get(THINGS, "a") is None
        transaction.put(THINGS, "a", Thing(number))
    bench.submit(b"first", first)
    bench.submit(b"second", second)
    bench.submit(b"read")
    bench.turn()
    (_, one), (_, two), (_, three) = bench.answers
    assert (one, three) == (None, None)
    assert isinstance(two, StorageConflict)
    assert bench.events() == [b"first", b"read"]
    assert bench.store.transaction().get(THINGS, "a") == Thing(0)


def test_journaled_rows_leave_the_outbox_with_the_next_change(bench):
    bench.submit(b"one", bench.put("a", 1))
    bench.turn()
    assert bench.outbox() == [b"one"]
    bench.submit(b"two", bench.put("a", 2))
    bench.turn()
    assert bench.outbox() == [b"two"]


def test_journaled_rows_leave_the_outbox_before_they_get_too_old(bench, monkeypatch):
    monkeypatch.setattr(commit, "_CLEANING_INTERVAL", 10)
    bench.submit(b"change", bench.put("a", 1))
    bench.turn()
    for number in range(10):
        assert bench.outbox() == [b"change"]
        bench.submit(b"read %d" % number)
        bench.turn()
    assert bench.outbox() == []


def test_a_transaction_without_an_event_and_nothing_at_all_are_possible(bench):
    bench.submit(None, bench.put("a", 1))
    bench.submit(None)
    bench.turn()
    assert bench.answers == [(None, None), (None, None)]
    assert bench.events() == bench.outbox() == []


def test_close_answers_everything_and_empties_the_outbox(bench):
    bench.committer.start()
    for number in range(100):
        bench.submit(b"%d" % number, bench.put("a", number))
    bench.committer.close()
    bench.loop.run()
    assert bench.answers == [(b"%d" % number, None) for number in range(100)]
    assert bench.outbox() == []
    bench.submit(b"late")
    bench.loop.run()
    assert isinstance(bench.answers[-1][1], JournalError)
    assert bench.journal.failure == "closed"


def test_too_many_waiting_are_refused_at_once(root):
    bench = Bench(root, limit=3)
    for number in range(5):
        bench.submit(b"%d" % number)
    bench.loop.run()
    assert [record for record, _ in bench.answers] == [b"3", b"4"]
    assert all("wait" in str(error) for _, error in bench.answers)
    bench.turn()
    assert [record for record, error in bench.answers if error is None] == [b"0", b"1", b"2"]


def test_an_event_that_could_never_be_journaled_is_refused_before_its_change(bench):
    for bad in (b"", bytes(bench.journal.longest_record + 1)):
        bench.submit(bad, bench.put("a", 1))
    bench.loop.run()
    assert [type(error) for _, error in bench.answers] == [JournalError, JournalError]
    assert bench.store.transaction().get(THINGS, "a") is None


def test_of_calls_handed_in_together_each_is_taken_or_refused_for_itself(root):
    bench = Bench(root, limit=3)
    together = [b"0", b"", b"1", b"2", b"3"]

    def told(record):
        return lambda error: bench.answers.append((record, type(error)))

    bench.committer.submit(*[Submission((record,), None, told(record)) for record in together])
    bench.loop.run()
    assert sorted(bench.answers) == [(b"", JournalError), (b"2", JournalError), (b"3", JournalError)]
    bench.turn()
    assert bench.answers[3:] == [(b"0", type(None)), (b"1", type(None))]
    assert bench.events() == [b"0", b"1"]


def test_all_events_of_a_change_are_stored_with_it_and_journaled_in_their_order(bench):
    answers = []
    bench.committer.submit(Submission((b"caller's", b"owner's"), bench.put("a", 1), answers.append))
    bench.submit(b"read")
    bench.turn()
    assert answers == [None]
    assert bench.outbox() == [b"caller's", b"owner's"]
    assert bench.events() == [b"caller's", b"owner's", b"read"]
    bench.submit(b"next", bench.put("a", 2))
    bench.turn()
    assert bench.outbox() == [b"next"]


def test_a_call_with_one_event_that_cannot_be_journaled_is_refused_whole(bench):
    answers = []
    bench.committer.submit(Submission((b"good", b""), bench.put("a", 1), answers.append))
    bench.submit(b"read")
    bench.turn()
    assert [type(error) for error in answers] == [JournalError]
    assert bench.events() == [b"read"]
    assert bench.store.transaction().get(THINGS, "a") is None


def test_a_conflict_leaves_none_of_the_events(bench):
    stale = bench.put("a", 1)
    stale.get(THINGS, "b")
    bench.store.commit([bench.put("b", 1)])
    answers = []
    bench.committer.submit(Submission((b"caller's", b"owner's"), stale, answers.append))
    bench.turn()
    assert [type(error) for error in answers] == [StorageConflict]
    assert bench.events() == bench.outbox() == []


def test_a_repair_finds_events_however_much_was_journaled_since(bench, monkeypatch):
    monkeypatch.setattr(commit, "_CLEANING_INTERVAL", 1 << 30)
    for number in range(50):
        bench.submit(b"before %d" % number)
    bench.submit(b"change", bench.put("a", 1))
    bench.turn()
    for number in range(300):
        bench.submit(b"read %d" % number)
    bench.turn()
    row = bench.store.transaction().scan(outbox.OUTBOX, "")[0][1]
    assert row == outbox.OutboxRow(b"change", 0)
    assert bench.committer.recover() == 0
    assert bench.events().count(b"change") == 1


def test_start_journals_what_a_crash_left_in_the_outbox(bench):
    journaled, lost = b"journaled", b"lost"
    transaction = bench.store.transaction()
    for number, event in enumerate((journaled, lost)):
        transaction.put(outbox.OUTBOX, outbox.key("w0", number), outbox.OutboxRow(event))
    transaction.put(outbox.OUTBOX, outbox.key("w1", 0), outbox.OutboxRow(b"another worker's"))
    bench.store.commit([transaction])
    bench.journal.append([journaled])
    assert bench.committer.recover() == 1
    assert bench.events() == [journaled, lost]
    assert bench.outbox() == [b"another worker's"]
    assert bench.committer.recover() == 0


def test_a_store_that_was_put_back_is_noticed_at_the_next_start(bench, root):
    bench.submit(b"one", bench.put("a", 1))
    bench.turn()
    older = copy.copy(bench.backend)
    older._values, older._keys = dict(older._values), list(older._keys)
    bench.submit(b"two", bench.put("a", 2))
    bench.turn()
    bench.journal.abandon()
    journal = Journal.open(root, "w0", segment_size=64 * SECTOR, prepare_ahead=False)
    with pytest.raises(StorageTampered, match="put back"):
        Committer(Store.open(older, ROOT), journal, bench.loop.call_soon).start()
    Committer(Store.open(bench.backend, ROOT), journal, bench.loop.call_soon).recover()
    journal.close()


def test_one_callers_defect_does_not_silence_the_others(bench):
    def fail(_error):
        raise LookupError

    bench.committer.submit(Submission((b"bad",), None, fail))
    bench.submit(b"good")
    bench.committer._turn()
    with pytest.raises(LookupError):
        bench.loop.run()
    bench.loop.run()
    assert bench.answers == [(b"good", None)]


def test_a_closed_loop_does_not_stop_the_writer(bench):
    bench.loop.closed = True
    bench.submit(b"one")
    bench.committer._turn()
    assert bench.events() == [b"one"]


def test_a_defect_in_a_transaction_refuses_its_group_and_no_other(bench):
    class Broken:
        def put(self, *_):
            raise TypeError

    bench.submit(b"bad", Broken())
    bench.turn()
    assert isinstance(bench.answers[0][1], StorageUnavailable)
    assert bench.committer.state == "storage failed: unexpected TypeError in the writer"
    bench.submit(b"good")
    bench.turn()
    assert bench.answers[1] == (b"good", None)
    assert bench.committer.state == "ok"


def test_many_threads_lose_nothing_and_keep_their_order(root):
    bench = Bench(root)
    bench.committer.start()

    def work(name):
        for number in range(200):
            transaction = bench.put(f"{name}-{number}", number) if number % 10 == 0 else None
            bench.submit(b"%d:%d" % (name, number), transaction)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.committer.close()
    bench.loop.run()
    assert {error for _, error in bench.answers} == {None}
    again = Journal.open(root, "w0", segment_size=64 * SECTOR, prepare_ahead=False)
    events = [event for _, event in again.read()]
    again.close()
    assert sorted(events) == sorted(record for record, _ in bench.answers)
    for name in range(4):
        answered = [record for record, _ in bench.answers if record.startswith(b"%d:" % name)]
        assert answered == [b"%d:%d" % (name, number) for number in range(200)]
        changes = [event for event in events if event.startswith(b"%d:" % name) and event.endswith(b"0")]
        assert changes == [b"%d:%d" % (name, number) for number in range(0, 200, 10)]
