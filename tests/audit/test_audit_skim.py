"""Skimming a journal finds exactly the events that reading it does, over many segments and beside changes and notes."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.change import join
from keystead.audit.journal import Journal
from keystead.audit.reader import read_journal
from keystead.audit.segment import Kind
from keystead.audit.skim import events
from keystead.errors import JournalError

WRITES = b"p" * 16 + b"\1" + b"d" * 32


def record(number, length, kind):
    event = json.dumps({"eventID": number, "x": "y" * length}).encode()
    return event if kind == 0 else join(event, WRITES, number, note=kind == 2)


def read(directory):
    return [frame.payload for frame in read_journal(directory, "w0") if frame.kind is Kind.EVENT]


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), groups=st.integers(1, 40))
def test_skimming_finds_what_reading_does(tmp_path_factory, seed, groups):
    directory, chance = tmp_path_factory.mktemp("journal"), random.Random(seed)
    number = 0
    for _ in range(2):  # closed and opened again: a new segment follows before the old one is full
        journal = Journal.open(directory, "w0", segment_size=16 * 512)
        for _ in range(groups):
            count = chance.randint(1, 4)
            journal.append(
                [
                    record(number + n, chance.randint(0, 900), chance.choice((0, 0, 1, 2)))
                    for n in range(count)
                ]
            )
            number += count
        journal.abandon()
    assert list(events(directory, "w0")) == read(directory)


def test_a_segment_that_ends_too_early_is_an_error(tmp_path):
    journal = Journal.open(tmp_path, "w0", segment_size=16 * 512)
    for number in range(40):
        journal.append([record(number, 700, 0)])
    journal.abandon()
    first = min((tmp_path / "journal" / "w0").glob("*.seg"))
    first.write_bytes(first.read_bytes()[: 6 * 512])
    with pytest.raises(JournalError, match="ends before record"):
        list(events(tmp_path, "w0"))
