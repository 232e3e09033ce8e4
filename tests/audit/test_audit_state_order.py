"""Which of several changes left a record as it must be: by commits where they are known, and no stricter where not."""

import msgspec
import pytest

from keystead.audit.change import Change, encode_writes
from keystead.audit.segment import Frame, Kind, Position
from keystead.audit.state import StateCheck
from keystead.audit.verify import Leaf
from keystead.crypto.secret import Secret
from keystead.storage.table import Table
from keystead.tlog import StateDigests

DIGESTS = StateDigests(Secret(bytes(32)))


class Thing(msgspec.Struct, frozen=True):
    value: int


THINGS = Table("order_things", Thing)
HELPERS = Table("order_helpers", Thing, evident=False)


def encoded(value):
    return None if value is None else THINGS.encode(Thing(value))


def frame(value, commit, *, exact=True):
    write = DIGESTS.write("order_things", b"a", encoded(value))
    change = Change(commit, exact, encode_writes([write]))
    return Frame(commit, Kind.EVENT, b'{"eventName":"Set"}', Position(0, 0, b""), change)


def concluded(stored, *frames, since=10, now=10, pruned=0):
    check = StateCheck(DIGESTS, (THINGS, HELPERS), since)
    if stored is not None:
        check.stored(THINGS.place("a"), encoded(stored))
    check.stored(HELPERS.place("b"), encoded(1))
    for number, one in enumerate(frames):
        check.recorded(number, "w0", None, one)
    return check.conclude(now, partial=pruned > 0)


def in_order(stored, *frames, **times):
    return concluded(stored, *frames, **times).findings == ()


def test_the_newest_commit_counts_whatever_the_order_of_journals():
    changes = [frame(3, 7), frame(1, 2), frame(2, 5)]
    assert in_order(3, *changes)
    assert not in_order(2, *changes)
    assert not in_order(None, *changes)


def test_of_one_commit_the_last_change_counts():
    assert in_order(2, frame(1, 5), frame(2, 5))
    assert not in_order(1, frame(1, 5), frame(2, 5))


def test_a_deleted_record_is_absent():
    assert in_order(None, frame(1, 5), frame(None, 6))
    assert not in_order(1, frame(1, 5), frame(None, 6))


def test_a_change_whose_commit_is_not_known_may_be_the_newest_or_not():
    changes = [frame(1, 5), frame(2, 8, exact=False)]
    assert in_order(1, *changes)
    assert in_order(2, *changes)
    assert not in_order(3, *changes)
    assert not in_order(None, *changes)
    assert not in_order(2, frame(2, 4, exact=False), frame(1, 5))


@pytest.mark.parametrize("stored", [None, 1, 2])
def test_beside_a_server_each_version_of_the_time_of_reading_is_accepted(stored):
    assert in_order(stored, frame(1, 11), frame(2, 12), since=10, now=12)


def test_what_was_replaced_before_the_reading_began_is_not():
    assert not in_order(1, frame(1, 9), frame(2, 10), frame(3, 11), since=10, now=12)
    assert in_order(2, frame(1, 9), frame(2, 10), frame(3, 11), since=10, now=12)


def test_a_store_that_is_older_than_its_evidence_is_compared_with_the_newest():
    found = concluded(1, frame(1, 9), frame(2, 12), since=10, now=10).findings
    assert found[0] == "state: the store is at commit 10, changes tell of commit 12"
    assert found[1].startswith(
        "state: order_things a: entry 1, record 12 of journal w0 (Set) wrote something else"
    )


def test_many_changes_of_one_record_keep_no_more_than_may_count():
    assert in_order(50, *(frame(n, n) for n in range(51)), since=50, now=50)
    assert not in_order(49, *(frame(n, n) for n in range(51)), since=50, now=50)


def test_where_records_are_pruned_what_nobody_tells_of_is_not_judged():
    assert not in_order(1)
    checked = concluded(1, pruned=3)
    assert (checked.records, checked.untold, checked.findings) == (0, 1, ())


def test_an_entry_whose_record_is_pruned_tells_the_same():
    writes = [DIGESTS.write("order_things", b"a", encoded(1))]
    for leaf in (Leaf(2, "w0", 3, "Set", writes, commit=4), Leaf(2, "w0", 3, "Set", writes, commitUpTo=4)):
        for stored, findings in ((1, 0), (2, 1)):
            check = StateCheck(DIGESTS, (THINGS,), 10)
            check.stored(THINGS.place("a"), encoded(stored))
            check.recorded(7, "w0", leaf, None)
            assert len(check.conclude(10, partial=True).findings) == findings
