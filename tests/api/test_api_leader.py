"""At any time at most one worker leads, and one does again when the leader is gone."""

from __future__ import annotations

import multiprocessing

import pytest

from keystead.api.leader import Leader
from keystead.errors import JournalError

spawn = multiprocessing.get_context("spawn")


def lead(directory, pipe):
    """Tell whether this process leads, then live until it is killed."""
    leader = Leader(directory)
    pipe.send(leader.leads())
    pipe.recv()


def test_one_leads_until_it_resigns(tmp_path):
    one, other = Leader(tmp_path), Leader(tmp_path)
    assert (one.leads(), other.leads(), one.leads()) == (True, False, True)
    one.resign()
    assert (other.leads(), one.leads()) == (True, False)
    other.resign()


def test_the_lead_of_a_killed_process_ends_with_it(tmp_path):
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=lead, args=(tmp_path, theirs))
    process.start()
    assert mine.recv()
    here = Leader(tmp_path)
    assert not here.leads()
    process.kill()
    process.join()
    assert here.leads()
    here.resign()


def test_a_directory_that_cannot_be_used_is_said(tmp_path):
    with pytest.raises(JournalError, match="leader"):
        Leader(tmp_path / "missing").leads()
