"""What stands beside a change's event: a digest of each record that it wrote."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.audit.change import Change, decode_writes, digests_of, encode_writes, join, split
from keystead.audit.commit import Committer, Submission
from keystead.audit.journal import Journal
from keystead.audit.notes import run_noted, take, waiting
from keystead.audit.outbox import OUTBOX, OutboxRow
from keystead.audit.segment import Kind
from keystead.crypto.secret import Secret
from keystead.entropy import SystemEntropy
from keystead.storage.memory import MemoryBackend
from keystead.storage.store import Store
from keystead.storage.table import Table
from keystead.tlog import StateDigests

ROOT = bytes(32)
DIGESTS = StateDigests(Secret(bytes(32)))


class Thing(msgspec.Struct, frozen=True):
    value: int


THINGS = Table("things", Thing)
SEEN = Table("seen_things", Thing, evident=False)

writes = st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.sampled_from([b"", b"d" * 32])))


@given(writes)
def test_writes_are_read_back(written):
    assert list(decode_writes(encode_writes(written))) == written


@given(writes.filter(bool), st.integers(0, 2**63), st.booleans(), st.booleans())
def test_a_record_of_a_change_is_read_back(written, commit, exact, note):
    record = join(b'{"eventID":"1"}', encode_writes(written), commit, exact=exact, note=note)
    assert split(record) == (b'{"eventID":"1"}', Change(commit, exact, encode_writes(written)))


def test_an_event_without_writes_is_its_own_record():
    assert join(b"{}", b"", 7) == b"{}"
    assert split(b"{}") == (b"{}", None)


@pytest.fixture
def worker(tmp_path):
    store = Store.create(MemoryBackend(), ROOT)
    journal = Journal.open(tmp_path, "w0", prepare_ahead=False)
    calls = []
    committer = Committer(store, journal, calls.append, digests=DIGESTS)
    yield store, journal, committer
    journal.abandon()


def commit(store, committer, record, *, note=False, **things):
    transaction = store.transaction()
    for key, value in things.items():
        if value is None:
            transaction.delete(THINGS, key)
        else:
            transaction.put(THINGS, key, Thing(value))
    transaction.put(SEEN, "x", Thing(1))
    committer.submit(Submission((record,), transaction, lambda _: None, note))
    committer._turn()


def test_the_journal_has_the_digests_of_what_a_change_wrote(worker):
    store, journal, committer = worker
    commit(store, committer, b'{"n":1}', a=1, b=2)
    commit(store, committer, b'{"n":2}', b=None)
    first, second = journal.frames()
    assert (first.payload, first.kind) == (b'{"n":1}', Kind.EVENT)
    assert list(decode_writes(first.change.writes)) == [
        DIGESTS.write("things", b"a", THINGS.encode(Thing(1))),
        DIGESTS.write("things", b"b", THINGS.encode(Thing(2))),
    ]
    assert list(decode_writes(second.change.writes)) == [DIGESTS.write("things", b"b", None)]
    assert first.change.exact
    assert first.change.commit == 2
    assert second.change.commit == store.commit_number
    assert [event for _, event in journal.read()] == [b'{"n":1}', b'{"n":2}']


def test_a_crash_before_the_journal_loses_no_digests(worker):
    store, journal, committer = worker
    transaction = store.transaction()
    transaction.put(THINGS, "a", Thing(1))
    digests = digests_of(DIGESTS, transaction)
    transaction.put(OUTBOX, "w0/00000000000000000001", OutboxRow(b'{"n":1}', writes=digests))
    store.commit([transaction])
    assert committer.recover() == 1
    (frame,) = journal.frames()
    assert frame.payload == b'{"n":1}'
    assert frame.change == Change(2, exact=False, writes=digests)
    assert committer.recover() == 0


def test_a_change_without_a_call_leaves_a_note_and_no_event(worker):
    store, journal, committer = worker
    commit(store, committer, b'{"note":"change"}', note=True, a=1)
    (frame,) = journal.frames()
    assert (frame.kind, frame.payload) == (Kind.NOTE, b'{"note":"change"}')
    assert frame.change is not None
    assert list(journal.read()) == []


def test_the_note_of_an_operator_waits_in_the_outbox_for_a_journal(worker):
    store, journal, committer = worker
    run_noted(
        store,
        lambda tx: [tx.put(THINGS, f"{n}", Thing(n)) for n in range(500)],
        what="test",
        now=0.0,
        entropy=SystemEntropy(),
    )
    tx = store.transaction()
    places = waiting(tx, 10)
    assert len(places) == 2  # a leaf would not hold all digests
    for place in places:
        tx = store.transaction()
        committer.submit(Submission((take(tx, place, store.commit_number),), tx, lambda _: None))
        committer._turn()
    frames = list(journal.frames())
    assert sum(len(list(decode_writes(frame.change.writes))) for frame in frames) == 500
    assert all(msgspec.json.decode(frame.payload)["what"] == "test" for frame in frames)
    assert {frame.kind for frame in frames} == {Kind.NOTE}
    assert take(store.transaction(), places[0], 1) is None


def test_a_journal_of_before_there_were_digests_is_read(tmp_path):
    with_rows = Store.create(MemoryBackend(), ROOT)
    old = msgspec.msgpack.encode({"event": b'{"n":1}'})
    assert OUTBOX.decode(old) == OutboxRow(b'{"n":1}')
    journal = Journal.open(tmp_path, "w0", prepare_ahead=False)
    journal.append([b'{"n":1}'], 1)
    assert [(f.payload, f.change) for f in journal.frames()] == [(b'{"n":1}', None)]
    journal.abandon()
    assert with_rows.last_commit == 0
