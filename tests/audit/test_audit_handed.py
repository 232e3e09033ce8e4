import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.filling import Filling
from keystead.audit.follow import parts
from keystead.audit.handed import Handed
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.query import Filter, find


def event(number):
    return b'{"eventTime":"2026-03-01T10:00:%02dZ","eventName":"Encrypt","eventID":"id-%d"%s}' % (
        number % 60,
        number,
        b"".ljust(number % 7 * 40),
    )


class Log:
    """Who reads the journals first, and hands on what was read."""

    def __init__(self, root):
        self.root = root
        self.cursors = {}
        self.asked = 0
        self.handed = Handed(self._journals)
        self.filling = Filling(Index(root), self.handed.parts)

    def _journals(self, worker, cursor):
        self.asked += 1
        return parts(self.root, worker, cursor)

    def read(self, worker, most=10**9):
        for number, part in enumerate(parts(self.root, worker, self.cursors.get(worker))):
            if number == most:
                return
            self.handed.hand(worker, part)
            self.cursors[worker] = part.cursor


def indexes(root, worker="w0"):
    found = find(Index(root), Filter(), newest_first=False)
    return sorted(each.index for each in found if each.journal == worker)


@pytest.fixture
def log(root):
    log = Log(root)
    yield log
    log.filling.close()


@pytest.fixture
def journal(root):
    journal = Journal.open(root, "w0", segment_size=8192, prepare_ahead=False)
    yield journal
    journal.abandon()


def test_what_was_handed_is_not_read_again(root, log, journal):
    for number in range(30):
        journal.append([event(number)])
    log.read("w0")
    log.filling.catch_up(10_000)
    asked = log.asked
    for number in range(30, 90):
        journal.append([event(number)])
        log.read("w0")
        log.filling.catch_up(10_000)
    assert log.asked == asked
    assert indexes(root) == list(range(90))


def test_who_is_ahead_waits_for_the_log_and_goes_on_within_a_part(root, log, journal):
    journal.append([event(0)])
    log.read("w0")
    log.filling.catch_up(10_000)
    journal.append([event(1)])
    Index(root).catch_up()  # a question
    journal.append([event(2)])
    assert log.filling.catch_up(10_000).events == 0
    asked = log.asked
    log.read("w0")
    assert log.filling.catch_up(10_000).events == 1
    assert log.asked == asked
    assert indexes(root) == [0, 1, 2]


def test_what_the_writer_abandoned_is_forgotten_when_the_log_goes_on(root, log, journal):
    journal.append([event(1)])
    log.read("w0")
    view = journal._view
    journal.append([event(2), event(3)])
    Index(root).catch_up()
    journal._view = view
    journal._failure = "pretend that the second sync failed"
    journal.reopen()
    journal.append([event(4), event(5), event(6)])
    log.read("w0")
    log.filling.catch_up(10_000)
    found = [each.payload for each in find(Index(root), Filter(), newest_first=False)]
    assert found == [event(number) for number in (1, 4, 5, 6)]


def test_only_so_much_is_kept(root, log, journal, monkeypatch):
    monkeypatch.setattr("keystead.audit.handed._MOST", 4096)
    log.read("w0")
    for number in range(60):
        journal.append([event(number)])
        log.read("w0")
    assert 0 < sum(len(each.payload) for kept in log.handed._kept["w0"] for each in kept.part.events) <= 4096
    log.filling.catch_up(10_000)
    assert indexes(root) == list(range(60))


STEPS = st.lists(
    st.sampled_from(["append", "append", "group", "read", "some", "fill", "ask", "other", "restart"]),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_in_any_order_of_steps_nothing_is_missed_or_twice(scratch, steps):
    root = Path(tempfile.mkdtemp(dir=scratch))
    journals = [Journal.open(root, name, segment_size=8192, prepare_ahead=False) for name in ("w0", "w1")]
    log, count = Log(root), [0, 0]

    def append(which, records):
        journals[which].append([event(count[which] + number) for number in range(records)])
        count[which] += records

    does = {
        "append": partial(append, 0, 1),
        "group": partial(append, 0, 7),
        "other": partial(append, 1, 3),
        "read": lambda: [log.read(name) for name in ("w0", "w1")],
        "some": lambda: log.read("w0", 1),
        "fill": lambda: log.filling.catch_up(5),
        "ask": Index(root).catch_up,
    }
    for step in steps:
        if step == "restart":
            log.filling.close()
            log = Log(root)
        else:
            does[step]()
    does["read"]()
    while not log.filling.catch_up(5).complete:
        pass
    assert indexes(root, "w0") == list(range(count[0]))
    assert indexes(root, "w1") == list(range(count[1]))
    log.filling.close()
    for journal in journals:
        journal.abandon()
