"""What workers that are no longer run left in the outbox is journaled, once, and nobody else's is touched."""

from __future__ import annotations

import pytest

from keystead.audit.acknowledged import FILE, acknowledged
from keystead.audit.journal import Journal
from keystead.audit.orphans import orphans, take_up, take_up_one
from keystead.audit.outbox import OUTBOX, OutboxRow, key
from keystead.audit.reader import read_journal
from keystead.audit.segment import Kind
from keystead.storage.memory import MemoryBackend
from keystead.storage.store import Store


@pytest.fixture
def store():
    return Store.create(MemoryBackend(), bytes(range(32)))


def leave(store, worker, *events):
    """What a worker that was killed between its commit and its journal's sync leaves."""

    def put(tx):
        for number, event in enumerate(events):
            tx.put(OUTBOX, key(worker, number), OutboxRow(event))

    store.run(put)


def events(directory, worker):
    return [frame.payload for frame in read_journal(directory, worker) if frame.kind is Kind.EVENT]


def test_those_who_are_run_are_no_orphans(tmp_path):
    for worker in ("w0", "w1", "w2", "w10"):
        Journal.open(tmp_path, worker).close()
    assert orphans(tmp_path, 2) == ["w10", "w2"]
    assert orphans(tmp_path, 11) == []


def test_what_was_left_is_journaled_in_order_and_once(store, tmp_path):
    journal = Journal.open(tmp_path, "w2")
    journal.append([b"one"])
    journal.abandon()
    leave(store, "w2", b"one", b"two", b"three")
    leave(store, "w1", b"another's")
    assert take_up(store, tmp_path, 2) == ["w2"]
    assert take_up_one(store, tmp_path, "w2") == 0
    assert events(tmp_path, "w2") == [b"one", b"two", b"three"]
    assert [place for place, _ in store.transaction().scan(OUTBOX, "")] == [key("w1", 0)]


def test_a_journal_with_nothing_left_is_not_written(store, tmp_path):
    Journal.open(tmp_path, "w2").close()
    before = [frame.payload for frame in read_journal(tmp_path, "w2")]
    assert take_up_one(store, tmp_path, "w2") == 0
    assert [frame.payload for frame in read_journal(tmp_path, "w2")] == before


def test_a_journal_that_is_written_after_all_is_left_alone(store, tmp_path):
    journal = Journal.open(tmp_path, "w2")
    leave(store, "w2", b"one")
    assert take_up_one(store, tmp_path, "w2") == 0
    assert store.transaction().scan(OUTBOX, "w2/")
    journal.close()
    assert take_up_one(store, tmp_path, "w2") == 1


def test_records_that_nobody_was_told_of_are_told_of_now(store, tmp_path):
    """Its machine stopped between the sync and the telling: they are durable, and wait for somebody to say so."""
    journal = Journal.open(tmp_path, "w2")
    journal.append([b"one"])
    journal.abandon()
    (tmp_path / "journal/w2" / FILE).write_bytes(bytes(8))
    assert acknowledged(tmp_path, "w2") == 0
    assert take_up_one(store, tmp_path, "w2") == 0
    assert acknowledged(tmp_path, "w2") == 2  # with the note that it was closed
    assert events(tmp_path, "w2") == [b"one"]
