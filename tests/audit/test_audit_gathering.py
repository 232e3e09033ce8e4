"""When the writer is woken: soon, with as many as come together, and never left asleep while somebody waits."""

import asyncio
import threading
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from keystead.audit.commit import Committer, Submission
from keystead.audit.gathering import ENOUGH, Gathering
from keystead.audit.journal import Journal
from keystead.audit.segment import SECTOR
from keystead.storage.memory import MemoryBackend
from keystead.storage.store import Store


class Played:
    """A loop and a writer, which take their turns when the test says so."""

    def __init__(self):
        self.soon, self.woken = deque(), 0
        self.waiting, self.coming = 0, False
        self.gathering = Gathering(self.wake, lambda: self.waiting, self.soon.append, lambda: self.coming)

    def wake(self):
        self.woken += 1

    def hand_in(self, count):
        for _ in range(count):
            self.waiting += 1
            self.gathering.handed_in()

    def turn(self):
        for _ in range(len(self.soon)):
            self.soon.popleft()()

    def write(self):
        self.waiting = 0
        self.gathering.written()


def test_the_first_call_waits_for_nobody():
    played = Played()
    played.hand_in(1)
    assert played.woken == 0
    played.turn()
    assert played.woken == 1
    assert not played.soon


def test_what_comes_while_a_group_is_written_is_written_with_those_who_are_answered_then():
    played = Played()
    played.hand_in(31)
    played.turn()
    played.hand_in(1)  # a straggler
    played.turn()
    assert played.woken == 1
    played.waiting = 1  # the writer took the others
    played.gathering.written()
    played.coming = True  # who was answered asks again
    played.turn()
    played.turn()
    assert played.woken == 1
    played.hand_in(31)
    played.coming = False
    played.turn()
    assert played.woken == 2
    assert played.waiting == 32


def test_fewer_than_last_time_wait_for_one_turn_that_brings_nobody():
    played = Played()
    played.hand_in(20)
    played.turn()
    played.write()
    played.hand_in(3)
    played.turn()
    played.hand_in(2)
    played.turn()
    assert played.woken == 1
    played.turn()
    assert played.woken == 2


def test_among_several_clients_nobody_waits_for_what_another_sends():
    played = Played()
    played.hand_in(20)
    played.turn()
    played.write()
    played.coming = None
    played.hand_in(4)
    played.turn()
    assert played.woken == 2


def test_enough_wait_for_nobody_whoever_may_come():
    played = Played()
    played.coming = True
    played.hand_in(ENOUGH)
    played.turn()
    assert played.woken == 1


@given(st.lists(st.sampled_from(["call", "turn", "write", "coming", "gone", "several"]), max_size=60))
def test_nobody_is_left_waiting_when_the_loop_and_the_writer_rest(steps):
    played = Played()
    for step in steps:
        match step:
            case "call":
                played.hand_in(1)
            case "turn":
                played.turn()
            case "write" if played.woken:
                played.woken -= 1
                played.write()
            case "coming" | "gone" | "several":
                played.coming = {"coming": True, "gone": False, "several": None}[step]
    played.coming = False
    while played.soon or played.woken:
        played.turn()
        if played.woken:
            played.woken -= 1
            played.write()
    assert played.waiting == 0


def test_calls_of_the_loop_and_of_threads_are_all_answered(tmp_path):
    async def run():
        loop = asyncio.get_running_loop()
        store = Store.create(MemoryBackend(), bytes(range(32)))
        journal = Journal.open(tmp_path, "w0", segment_size=4096 * SECTOR, prepare_ahead=False)
        committer = Committer(store, journal, loop.call_soon_threadsafe, next_turn=loop.call_soon)
        committer.start()
        answered, every = [], asyncio.Event()

        def done(error):
            answered.append(error)
            if len(answered) == 1200:
                every.set()

        def hand_in():
            committer.submit(Submission((b'{"an":"event"}',), None, done))

        threads = [
            threading.Thread(target=lambda: [hand_in() for _ in range(200)], daemon=True) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for number in range(600):
            hand_in()
            if number % 7 == 0:
                await asyncio.sleep(0)
        await asyncio.wait_for(every.wait(), 300)
        await loop.run_in_executor(None, committer.close)
        assert answered == [None] * 1200

    asyncio.run(run())
