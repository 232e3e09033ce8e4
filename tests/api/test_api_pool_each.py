"""Work that waits long, or goes on and on, leaves threads to others."""

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
        go.wait(300)
        done.append(number)

    for number in range(8):
        pool.submit("slow", Work(lambda number=number: wait(number), refused))
    for _ in range(3):
        assert started.acquire(timeout=300)
    pool.submit("quick", Work(other.set, refused))
    assert other.wait(300)  # though the first lane has eight pieces of work and three threads
    assert not started.acquire(blocking=False)
    go.set()
    for _ in range(5):
        assert started.acquire(timeout=300)
    pool.close()
    assert sorted(done) == list(range(8))


def test_work_that_goes_on_gives_its_thread_to_others_in_between() -> None:
    pool = FairPool(1, 100)
    order: list[str] = []
    begun, other, over = threading.Event(), threading.Event(), threading.Event()

    def step() -> None:
        order.append("long")
        begun.set()
        other.wait(300)
        if len(order) < 20:
            pool.again("long", work)
        else:
            over.set()

    work = Work(step, refused)
    pool.submit("long", work)
    assert begun.wait(300)
    for _ in range(3):
        pool.submit("short", Work(lambda: order.append("short"), refused))
    other.set()
    assert over.wait(300)
    pool.close()
    assert order[:7] == ["long", "short", "long", "short", "long", "short", "long"]


def test_work_that_goes_on_without_room_is_refused() -> None:
    pool = FairPool(1, 1)
    refusals: list[str] = []
    waiting, go = threading.Event(), threading.Event()

    def step() -> None:
        waiting.set()
        go.wait(300)
        pool.again("long", Work(refused, lambda: refusals.append("long")))

    pool.submit("long", Work(step, refused))
    assert waiting.wait(300)
    pool.submit("short", Work(lambda: None, lambda: refusals.append("short")))
    go.set()
    pool.close()
    assert len(refusals) == 1
