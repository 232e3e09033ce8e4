"""Several processes on one database: no commit is lost, none goes unnoticed, and none waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from keystead.storage import SqliteBackend, Store, Table

ROOT = bytes(range(32))
spawn = multiprocessing.get_context("spawn")


class Number(msgspec.Struct, frozen=True):
    value: int


NUMBERS: Table[Number] = Table("numbers", Number)


def opened(path: str) -> Store:
    return Store.open(SqliteBackend(Path(path)), ROOT)


def add(store: Store, key: str, amount: int = 1) -> int:
    def step(tx):
        before = tx.get(NUMBERS, key)
        after = Number((before.value if before else 0) + amount)
        tx.put(NUMBERS, key, after)
        return after.value

    return store.run(step)


# ------------------------------------------------------------------- the other processes


def count_up(path: str, name: str, steps: int) -> None:
    store = opened(path)
    for step in range(steps):
        add(store, "shared")
        add(store, f"{name}-{step % 50}")
    store.close()


def upkeep(path: str, rounds: int) -> None:
    store = opened(path)
    for _ in range(rounds):
        store.rotate_barrier()
        while not store.reseal(20):
            pass
        store.checkpoint()
    store.close()


def answer(path: str, pipe) -> None:
    """What is cached here, each time it is asked for."""
    store = opened(path)
    while pipe.recv():
        number = store.transaction().get(NUMBERS, "shared")
        pipe.send(number.value if number else 0)
    store.close()


def hold_the_turn(path: str, pipe) -> None:
    with SqliteBackend(Path(path)).turn():
        pipe.send(True)
        pipe.recv()


@contextmanager
def running(target, *args) -> Iterator[multiprocessing.process.BaseProcess]:
    process = spawn.Process(target=target, args=args)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = tmp_path / "store.db"
    Store.create(SqliteBackend(place), ROOT).close()
    return str(place)


# ---------------------------------------------------------------------------- the tests


def test_no_step_of_three_processes_is_lost_while_a_fourth_rotates_reseals_and_scrubs(path):
    steps = 60
    workers = [spawn.Process(target=count_up, args=(path, f"p{n}", steps)) for n in range(3)]
    keeper = spawn.Process(target=upkeep, args=(path, 3))
    for process in (*workers, keeper):
        process.start()
    for process in (*workers, keeper):
        process.join()
        assert process.exitcode == 0
    store = opened(path)
    assert store.transaction().get(NUMBERS, "shared") == Number(3 * steps)
    assert sum(number.value for _, number in store.transaction().scan(NUMBERS, "p")) == 3 * steps
    assert store.verify_all().findings == ()
    store.close()


def test_a_change_is_seen_by_the_next_read_of_every_process(path):
    store = opened(path)
    pipes = [spawn.Pipe() for _ in range(2)]
    with running(answer, path, pipes[0][1]), running(answer, path, pipes[1][1]):
        for expected in range(1, 200):
            add(store, "shared")
            for mine, _ in pipes:
                mine.send(True)
            assert [mine.recv() for mine, _ in pipes] == [expected] * 2
    store.close()


def test_the_turn_of_a_killed_process_ends_with_it(path):
    store = opened(path)
    mine, theirs = spawn.Pipe()
    with running(hold_the_turn, path, theirs) as process:
        assert mine.recv()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert add(store, "shared") == 1
    store.close()


def test_a_process_killed_between_its_commit_and_the_news_of_it_hides_nothing_for_long(path):
    """The commit is there but the shared number was not changed: `refresh`, once a second, finds it."""
    one, other = opened(path), opened(path)
    assert add(one, "shared") == 1
    assert other.transaction().get(NUMBERS, "shared") == Number(1)
    one.backend._generation.bump = lambda: None
    add(one, "shared")
    assert other.transaction().get(NUMBERS, "shared") == Number(1)  # nobody was answered for the change yet
    other.refresh()
    assert other.transaction().get(NUMBERS, "shared") == Number(2)
    one.close()
    other.close()


def test_whoever_takes_the_place_of_a_killed_process_brings_the_news(path):
    one, other = opened(path), opened(path)
    assert add(one, "shared") == 1
    assert other.transaction().get(NUMBERS, "shared") == Number(1)
    one.backend._generation.bump = lambda: None
    add(one, "shared")
    opened(path).close()
    assert other.transaction().get(NUMBERS, "shared") == Number(2)
    one.close()
    other.close()
