"""Work that waits long leaves threads to others."""

from __future__ import annotations

import threading

from keystead.api.pool import FairPool, Work


def refused() -> None:
    raise AssertionError("there was room")


def test_one_lane_has_its_share_of_threads_and_no_more_and_all_of_its_work_is_done() -> None:
    pool = FairPool(4, 100, each=3)
    go, started, other = threading.Event(), threading.Semaphore(0), threading.Event()
    done: list[int] = []

    def wait(number: int) -> None:
        started.release()
        go.wait(20)
        done.append(number)

    for number in range(8):
        pool.submit("slow", Work(lambda number=number: wait(number), refused))
    for _ in range(3):
        assert started.acquire(timeout=20)
    pool.submit("quick", Work(other.set, refused))
    assert other.wait(20)  # though the first lane has eight pieces of work and three threads
    assert not started.acquire(blocking=False)
    go.set()
    for _ in range(5):
        assert started.acquire(timeout=20)
    pool.close()
    assert sorted(done) == list(range(8))
