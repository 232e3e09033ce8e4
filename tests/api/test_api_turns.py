"""Clients take turns: for requests, and for the threads of slow operations."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.api.lanes import Lanes
from keystead.api.pool import FairPool, Work
from keystead.api.turns import ALONE, BEHIND, SHARED, TOGETHER, Turns, lane_of
from keystead.wire.http import Request


def signed(who, peer="192.0.2.1", number=0):
    line = f"AWS4-HMAC-SHA256 Credential={who}/20260101/us-east-1/kms/aws4_request, SignedHeaders=host"
    return Request("POST", f"/{number}", {"authorization": line}, b"", peer, False)


# ------------------------------------------------------------------------------- lanes


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers()) | st.none()), st.integers(1, 8))
def test_nothing_is_lost_and_each_lane_keeps_its_order(steps, most):
    lanes, model, given_up = Lanes(most), {}, []
    for number, step in enumerate(steps):
        if step is None:
            if len(lanes):
                ((lane, item),) = lanes.take(1)
                assert model[lane].popleft() == item
        else:
            entry = (step[0], number)
            model.setdefault(step[0], deque()).append(number)
            out = lanes.put(step[0], entry)
            if out is not None:
                assert model[out[0]].pop() == out[1], "the newest of a lane gives way"
                given_up.append(out)
        assert len(lanes) == sum(map(len, model.values())) <= most
        assert lanes.count == sum(1 for waiting in model.values() if waiting)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1))
def test_lanes_take_turns(lengths):
    lanes = Lanes(1000)
    for lane, length in lengths.items():
        for _ in range(length):
            assert lanes.put(lane, lane) is None
    order = lanes.take(len(lanes))
    for lane, length in lengths.items():
        # Until a lane is empty, no other is served more than once between two of its own.
        places = [place for place, served in enumerate(order) if served == lane]
        assert len(places) == length
        for before, after in itertools.pairwise(places):
            assert max(Counter(order[before + 1 : after]).values(), default=0) <= 1


def test_nobody_goes_first_again_before_its_turn_has_come():
    """Else many that ask little would keep one that asks for two things at once waiting for ever."""
    lanes, served = Lanes(1000), []
    for _ in range(2):
        lanes.put("two", "two")
    for number in range(3):
        lanes.put(f"one {number}", f"one {number}")
    for _ in range(40):
        served.extend(lanes.take(1))
        lanes.put(served[-1], served[-1])  # asks again as soon as it is answered
    assert served.count("two") >= 10


@given(st.lists(st.sampled_from("abcd") | st.none(), max_size=60))
def test_who_had_no_turn_left_goes_before_all_that_wait_again(steps):
    lanes, waiting, turns = Lanes(1000), Counter(), set()
    for step in steps:
        if step is not None:
            fresh = lanes.fresh
            lanes.put(step, step)
            assert lanes.fresh - fresh == (step not in turns)
            turns.add(step)
            waiting[step] += 1
        elif waiting.total():
            (lane,) = lanes.take(1)
            waiting[lane] -= 1
            turns = turns if waiting.total() else set()
            turns &= set(lanes._lanes)


def test_whoever_has_least_is_let_in_at_the_cost_of_whoever_has_most():
    lanes = Lanes(10)
    for number in range(10):
        lanes.put("greedy", ("greedy", number))
    assert lanes.put("greedy", ("greedy", 10)) == ("greedy", 10)
    assert lanes.put("modest", ("modest", 0)) == ("greedy", 9)
    assert [lane for lane, _ in lanes.take(3)] == ["greedy", "modest", "greedy"]


def test_equal_lanes_do_not_push_each_other_out():
    lanes = Lanes(4)
    for lane in "aabb":
        lanes.put(lane, lane)
    assert lanes.put("a", "a again") == "a again"
    assert lanes.put("c", "c") == "a"


# ------------------------------------------------------------------------------- turns


class Loop:
    """What `call_soon` does, a turn at a time."""

    def __init__(self):
        self.soon = deque()

    def turn(self):
        for _ in range(len(self.soon)):
            self.soon.popleft()()


class Played:
    def __init__(self, most=1000):
        self.loop, self.handled, self.refused = Loop(), [], []
        self.turns = Turns(
            lambda together: self.handled.extend(request for request, _ in together),
            lambda request, done: self.refused.append(request),
            self.loop.soon.append,
            most,
        )

    def arrive(self, *requests):
        for request in requests:
            self.turns.handle(request, lambda _: None)


def test_one_client_alone_is_served_in_large_groups():
    played = Played()
    played.arrive(*(signed("A", number=number) for number in range(ALONE + 10)))
    assert played.handled == []
    played.loop.turn()
    assert len(played.handled) == ALONE
    played.loop.turn()
    played.loop.turn()
    assert len(played.handled) == ALONE + 10
    played.loop.turn()
    assert not played.loop.soon
    assert [request.target for request in played.handled] == [f"/{n}" for n in range(ALONE + 10)]


def test_one_client_alone_waits_for_those_who_were_there_last_time_while_somebody_comes():
    played = Played()
    played.arrive(*(signed("A") for _ in range(8)))
    played.loop.turn()
    assert len(played.handled) == 8
    played.arrive(*(signed("A") for _ in range(5)))
    played.loop.turn()
    assert played.turns.coming
    played.arrive(*(signed("A") for _ in range(3)))
    played.loop.turn()
    assert len(played.handled) == 16, "all are there: nobody is waited for"
    assert not played.turns.coming
    played.arrive(signed("A"))
    played.loop.turn()
    assert len(played.handled) == 16
    played.loop.turn()
    assert len(played.handled) == 17, "a turn brought nobody"


@pytest.mark.parametrize("count", [1, ALONE + 1])
def test_a_defect_in_a_turn_keeps_nobody_waiting_who_comes_later(count):
    played = Played()
    handle, defects = played.turns._handle, [ZeroDivisionError()]

    def fails_once(together):
        if defects:
            raise defects.pop()
        handle(together)

    played.turns._handle = fails_once
    played.arrive(*(signed("A") for _ in range(count)))
    with pytest.raises(ZeroDivisionError):
        played.loop.turn()
    played.arrive(signed("A", number=7))
    for _ in range(3):
        played.loop.turn()
    assert played.handled[-1] == signed("A", number=7)
    assert not played.turns.coming


def test_a_modest_client_waits_for_no_more_than_one_request_of_a_greedy_one():
    played = Played()
    played.arrive(*(signed("GREEDY", number=number) for number in range(500)), signed("MODEST"))
    played.loop.turn()
    assert played.handled == [signed("GREEDY"), signed("MODEST")], "nothing else is handled in the same turn"
    played.loop.turn()
    assert len(played.handled) == 2 + BEHIND


def test_whoever_comes_while_a_greedy_client_waits_is_next_and_alone():
    played = Played()
    played.arrive(signed("MODEST"), *(signed("GREEDY", number=number) for number in range(500)))
    for _ in range(3):
        played.loop.turn()
    played.handled.clear()
    played.arrive(signed("MODEST", number=2))
    played.loop.turn()
    assert played.handled == [signed("MODEST", number=2)]


def test_many_modest_clients_are_served_in_groups():
    played = Played()
    for _ in range(3):
        played.handled.clear()
        played.arrive(*(signed(f"MODEST{number}") for number in range(2 * TOGETHER + 5)))
        for size in (TOGETHER, 2 * TOGETHER, 2 * TOGETHER + 5):
            played.loop.turn()
            assert len(played.handled) == size


def test_small_groups_go_on_while_several_clients_come_and_go():
    played = Played()
    played.arrive(signed("MODEST"))
    played.arrive(*(signed("GREEDY", number=number) for number in range(500)))
    played.loop.turn()
    played.loop.turn()
    assert len(played.handled) == 2 + BEHIND, "the modest one waits for its answer, and will ask again"
    for _ in range(SHARED):
        played.arrive(signed("GREEDY"))
        played.loop.turn()
    while played.loop.soon:
        played.loop.turn()
    played.handled.clear()
    played.arrive(*(signed("GREEDY", number=number) for number in range(ALONE)))
    played.loop.turn()
    played.loop.turn()
    assert len(played.handled) == ALONE


def test_what_is_beyond_the_bound_is_refused_from_the_greedy_ones_lane():
    played = Played(most=20)
    played.arrive(*(signed("GREEDY", number=number) for number in range(30)))
    assert [request.target for request in played.refused] == [f"/{n}" for n in range(20, 30)]
    played.arrive(signed("MODEST"))
    assert played.refused[-1].target == "/19"
    while played.loop.soon:
        played.loop.turn()
    assert signed("MODEST") in played.handled
    assert len(played.handled) == 20
    assert played.turns.waiting == 0


CLAIMS = [
    "",
    "Credential=A",
    "Credential=A/1",
    "Credential=A/2",
    "Credential=B/1",
    "Credential=A%2F1",
    "Credential=A/1 Credential=B/1",
    "Credential=/1",
    "x Credential=A/1",
    "Credential=" + "A" * 128 + "/1",
    "Credential=" + "A" * 129 + "/1",
    "credential=A/1",
]


@pytest.mark.parametrize("first", CLAIMS)
def test_a_lane_does_not_depend_on_who_came_before(first):
    for headers in [{"authorization": text} for text in CLAIMS] + [{}]:
        for peer in ("192.0.2.1", "192.0.2.2"):
            turns = Turns(lambda _: None, lambda *_: None, lambda _: None, 10)
            request = Request("POST", "/?X-Amz-Credential=C/1", headers, b"", peer, False)
            turns.handle(Request("POST", "/", {"authorization": first}, b"", "192.0.2.1", False), print)
            turns.handle(request, print)
            assert turns._last == lane_of(request)


def test_who_claims_anothers_access_key_from_elsewhere_is_in_a_lane_of_its_own():
    assert lane_of(signed("A", "192.0.2.1")) != lane_of(signed("A", "192.0.2.2"))
    assert lane_of(signed("A")) != lane_of(signed("B"))


def test_a_presigned_request_is_in_its_signers_lane():
    target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fkms&X-Amz-Date=1"
    assert lane_of(Request("POST", target, {}, b"", "192.0.2.1", False)) == lane_of(signed("A"))


def test_who_claims_nothing_is_known_by_its_address():
    assert lane_of(Request("GET", "/", {}, b"", "192.0.2.1", False)) == "192.0.2.1"
    assert len(lane_of(signed("A" * 10_000))) < 200


# ------------------------------------------------------------------------------- threads


def test_slow_work_of_clients_is_done_in_turn():
    pool, gate, order, all_done = FairPool(1, 100), threading.Event(), [], threading.Semaphore(0)

    def work(name):
        def do():
            gate.wait(300)
            order.append(name)
            all_done.release()

        return Work(do, lambda: order.append(f"refused {name}"))

    pool.submit("first", work("first"))
    for number in range(5):
        pool.submit("greedy", work(f"greedy {number}"))
    pool.submit("modest", work("modest"))
    gate.set()
    for _ in range(7):
        assert all_done.acquire(timeout=300)
    pool.close()
    assert order.index("modest") <= 2
    assert [name for name in order if name.startswith("greedy")] == [f"greedy {n}" for n in range(5)]


def test_slow_work_beyond_the_bound_is_refused():
    pool, gate, refused = FairPool(1, 2), threading.Event(), []
    taken = threading.Event()

    def first():
        taken.set()
        gate.wait(300)

    pool.submit("a", Work(first, lambda: refused.append("first")))
    assert taken.wait(300)
    for number in range(4):
        pool.submit("a", Work(lambda: None, lambda number=number: refused.append(number)))
    assert refused == [2, 3]
    gate.set()
    pool.close()


@pytest.mark.parametrize("count", [1, 3])
def test_a_pool_does_everything_before_it_closes(count):
    pool, done = FairPool(count, 1000), []
    for number in range(100):
        pool.submit(str(number % 7), Work(lambda number=number: done.append(number), lambda: None))
    pool.close()
    assert sorted(done) == list(range(100))
