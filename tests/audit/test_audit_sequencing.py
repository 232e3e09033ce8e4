"""The log's own process: whatever ends it or its worker, the log is whole, goes on, and is written by one process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import runs, state_of, wait_until

from keystead.audit import sequencing as module
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.logmessages import Channel, Line, Report, Stop, Work, channel
from keystead.audit.sequencing import Sequencing
from keystead.audit.verify import check_log

SEED, SALT = b"seed" * 8, b"salt" * 8
KEYS = LogKeys("11111111-1111-4111-8111-111111111111", SEED, SALT)
WORKER = """
import sys
from contextlib import contextmanager
from pathlib import Path
from keystead.audit.journal import Journal
from keystead.audit.logkeys import LogKeys
from keystead.audit.logmessages import Work
from keystead.audit.sequencing import Sequencing

journal = Journal.open(Path(sys.argv[1]), "w0", segment_size=1 << 16, prepare_ahead=False)
journal.append([b'{"eventID":"1"}'])
one = Sequencing(Work(sys.argv[1], LogKeys("11111111-1111-4111-8111-111111111111", b"seed" * 8, b"salt" * 8)))
one.lead()
while one.pid is None:
    pass
print(one.pid, flush=True)
sys.stdin.read()
"""


def events(start, count):
    return [
        json.dumps(
            {
                "eventID": f"{number:08d}-1111-4111-8111-111111111111",
                "eventName": "Encrypt",
                "eventTime": "2026-01-02T03:04:05Z",
            }
        ).encode()
        for number in range(start, start + count)
    ]


def logged(root):
    """How many records of the journal the log has."""
    head = LogFiles(root).head()
    return 0 if head is None else head.journals.get("w0", 0)


def indexed(root):
    """How many records of the journal the index has read."""
    cursor = Index(root).positions().get("w0")
    return 0 if cursor is None else cursor.index


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    yield opened
    opened.abandon()


@pytest.fixture
def leading(tmp_path, journal):
    one = Sequencing(Work(str(tmp_path), KEYS))
    one.lead()
    yield one
    one.stop()
    assert one.pid is None


@contextmanager
def ended(leading):
    """The process stands still, and is killed afterwards: what is done meanwhile its successor finds."""
    os.kill(leading.pid, signal.SIGSTOP)
    wait_until(lambda: state_of(leading.pid) == "T")
    yield
    os.kill(leading.pid, signal.SIGKILL)


def sound(root, entries):
    checked = check_log(root, KEYS)
    assert (checked.entries, checked.waiting, checked.findings) == (entries, 0, ())


def test_what_is_durable_is_in_the_log_and_in_the_index(tmp_path, journal, leading):
    journal.append(events(0, 300))
    wait_until(lambda: logged(tmp_path) == 300)
    wait_until(lambda: indexed(tmp_path) == 300)
    assert leading.state == "ok"
    sound(tmp_path, 300)


def test_what_came_just_before_the_end_is_in_the_log_too(tmp_path, journal):
    one = Sequencing(Work(str(tmp_path), KEYS))
    one.lead()
    journal.append(events(0, 9000))
    one.stop()
    one.lead()  # a worker that stops leads no more
    assert one.pid is None
    sound(tmp_path, 9000)


@pytest.mark.parametrize(
    "moment", ["before_the_thread_runs", "while_the_process_starts", "before_it_has_its_work"]
)
def test_an_end_right_after_the_start_leaves_nothing_out(tmp_path, journal, monkeypatch, moment):
    """The end comes at each moment at which there is nobody yet to tell it to."""
    journal.append(events(0, 10))
    one = Sequencing(Work(str(tmp_path), KEYS))
    run, start, tell = Sequencing._work_on, Sequencing._start, Channel.tell

    def told_to_end():
        one._ending.set()
        one._order(Stop())

    def work_on(self):
        if moment == "before_the_thread_runs":
            told_to_end()
        run(self)

    def started(self):
        if moment == "while_the_process_starts":
            told_to_end()
        return start(self)

    def tells(self, message):
        if moment == "before_it_has_its_work" and isinstance(message, Work):
            told_to_end()
        tell(self, message)

    monkeypatch.setattr(Sequencing, "_work_on", work_on)
    monkeypatch.setattr(Sequencing, "_start", started)
    monkeypatch.setattr(Channel, "tell", tells)
    one.lead()
    one._thread.join(300)
    one.stop()
    sound(tmp_path, 10)


class Ending:
    """A thread and a process that take so many steps of 20 seconds to end, and tell of each, or do not."""

    def __init__(self, monkeypatch, one, steps, *, silent):
        self.one, self.left, self.silent, self.now, self.killed = one, steps, silent, 0.0, False
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        one._thread = one._process = self

    def is_alive(self):
        return self.left > 0

    def join(self, _patience=None):
        self.now, self.left = self.now + 20, self.left - 1
        if not self.silent:
            self.one._heard = self.now

    def kill(self):
        self.killed = True


@pytest.mark.parametrize(("silent", "killed"), [(False, False), (True, True)])
def test_a_process_that_works_is_waited_for_and_one_that_says_nothing_is_not(
    tmp_path, monkeypatch, silent, killed
):
    """On a slow machine, or far behind, it may take its time to write what is durable; a kill would leave that out."""
    ending = Ending(monkeypatch, one := Sequencing(Work(str(tmp_path), KEYS)), 6, silent=silent)
    one.stop()
    assert ending.killed == killed


def test_an_order_to_end_that_finds_the_socket_full_is_given_again(tmp_path, monkeypatch, ends):
    ours, theirs = ends
    one = Sequencing(Work(str(tmp_path), KEYS))
    one._channel = ours
    for _ in range(100_000):
        one.nudge()

    class Reading(Ending):
        def join(self, _patience=None):
            while (message := theirs.hear(0)) is not None:
                self.left = 0 if message == Stop() else self.left

    ending = Reading(monkeypatch, one, 1, silent=True)
    one.stop()
    assert not ending.killed


def test_a_worker_that_never_led_has_no_process(tmp_path):
    one = Sequencing(Work(str(tmp_path), KEYS))
    one.nudge()
    one.stop()
    assert (one.state, one.pid) == ("ok", None)
    assert not (tmp_path / "log").exists()


def test_the_process_gives_way_in_its_worker_s_session_but_hears_no_signal_of_its_terminal(leading):
    wait_until(lambda: leading.pid is not None)
    # Sessions may share processors alike, however nice their processes are.
    assert os.getsid(leading.pid) == os.getsid(0)
    assert os.getpgid(leading.pid) == leading.pid


def test_records_that_are_not_acknowledged_are_not_taken_up(tmp_path, journal, leading):
    journal.append(events(0, 5))
    wait_until(lambda: logged(tmp_path) == 5)
    journal._acknowledged.close()  # as while a group is being synced: the records are there to be read
    journal.append(events(5, 5))
    for _ in range(2):  # the second report is of a run that began after the first
        heard = leading._heard
        wait_until(lambda: leading._heard > heard)  # noqa: B023  called before the loop goes on
    assert logged(tmp_path) == 5


def test_a_killed_process_is_started_again_and_goes_on(tmp_path, journal, leading, monkeypatch):
    total, killed, told = 0, set(), []
    monkeypatch.setattr(
        leading, "_tell", lambda state: (told.append(state), Sequencing._tell(leading, state))
    )
    for _ in range(3):
        wait_until(lambda: leading.pid not in {None, *killed})
        for _ in range(40):
            journal.append(events(total, 50))
            total += 50
        wait_until(lambda: leading.state == "ok")  # not what was said of the one before
        killed.add(leading.pid)
        os.kill(leading.pid, signal.SIGKILL)
        # What it says may have passed before anybody looks.
        wait_until(
            lambda: sum(state.startswith("log behind: its process ended") for state in told) == len(killed)
        )
    wait_until(lambda: leading.state == "ok")
    wait_until(lambda: logged(tmp_path) == total)
    sound(tmp_path, total)


def test_a_killed_worker_leaves_no_process_behind(tmp_path):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with worker:
        pid = int(worker.stdout.readline())
        wait_until(lambda: logged(tmp_path) == 1)
        worker.kill()
    wait_until(lambda: not runs(pid))
    sound(tmp_path, 1)


def test_one_process_writes_the_log_and_the_next_waits_for_it(tmp_path, journal, leading):
    wait_until((tmp_path / "log" / "head").exists)
    other = Sequencing(Work(str(tmp_path), KEYS))
    other.lead()
    wait_until(lambda: "another process writes it" in other.state)
    leading.stop()
    wait_until(lambda: other.state == "ok")
    journal.append(events(0, 3))
    other.stop()
    sound(tmp_path, 3)


def test_a_process_that_does_not_start_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "missing"))
    one = Sequencing(Work(str(tmp_path), KEYS))
    one.lead()
    wait_until(lambda: one.state == "log behind: its process does not start: No such file or directory")
    one.stop()


def test_a_process_that_says_nothing_is_told_of(tmp_path, journal, leading, monkeypatch):
    monkeypatch.setattr(module, "_SILENCE", 2.0)
    wait_until(lambda: leading.pid is not None)
    pid = leading.pid
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: leading.state.startswith("log behind: its process has not answered for "))
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: leading.state == "ok")


def test_a_damaged_log_is_told_of_until_it_is_whole(tmp_path, journal, leading):
    journal.append(events(0, 5))
    wait_until(lambda: logged(tmp_path) == 5)
    head = tmp_path / "log" / "head"
    kept = head.read_bytes()
    with ended(leading):
        head.write_bytes(b"{")
    wait_until(lambda: leading.state == "log behind: log/head is damaged")
    head.write_bytes(kept)
    wait_until(lambda: leading.state == "ok")
    sound(tmp_path, 5)


def test_a_log_that_is_gone_is_not_begun_anew_by_the_next_process(tmp_path, journal, leading):
    journal.append(events(0, 5))
    wait_until(lambda: logged(tmp_path) == 5)
    wait_until(lambda: leading._work.begun and indexed(tmp_path) == 5)
    with ended(leading):
        shutil.rmtree(tmp_path / "log")
    wait_until(lambda: leading.state == "log behind: log/head is gone; the log is not begun anew")


def test_an_index_that_cannot_be_written_holds_nothing_up(tmp_path, journal, leading):
    journal.append(events(0, 3))
    wait_until(
        lambda: indexed(tmp_path) == 3
    )  # it rests from now on: nobody makes the file before the directory is there
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (tmp_path / "log" / name).unlink(missing_ok=True)
    (tmp_path / "log" / "index.db").mkdir()
    journal.append(events(3, 5))
    wait_until(lambda: logged(tmp_path) == 8)
    wait_until(lambda: "index.db cannot be used" in leading._index)
    assert leading.state == "ok"
    (tmp_path / "log" / "index.db").rmdir()
    wait_until(lambda: leading._index == "")
    assert indexed(tmp_path) == 8


def test_the_process_is_given_its_keys_by_its_socket_alone(tmp_path, journal, leading, monkeypatch):
    monkeypatch.setenv("KEYSTEAD_SECRET_ACCESS_KEY", "of the settings")
    wait_until(lambda: leading.pid is not None)
    first = leading.pid
    os.kill(first, signal.SIGKILL)  # the next one is started with the variable
    wait_until(lambda: leading.pid not in {None, first})
    wait_until(lambda: leading.state == "ok")
    process = Path(f"/proc/{leading.pid}")
    said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert b"logprocess" in said
    for secret in (SEED, SALT, SEED.hex().encode(), b"KEYSTEAD_", b"of the settings"):
        assert secret not in said
    limits = (process / "limits").read_text().splitlines()
    assert next(line.split()[4:6] for line in limits if line.startswith("Max core file size")) == ["0", "0"]
    assert "seed" not in repr(leading._work)


def test_signals_of_a_terminal_and_of_a_service_do_not_end_it(tmp_path, journal, leading):
    wait_until((tmp_path / "log" / "head").exists)
    pid = leading.pid
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    journal.append(events(0, 5))
    wait_until(lambda: logged(tmp_path) == 5)
    assert leading.pid == pid


# ------------------------------------------------------------------------------ messages


@pytest.fixture
def ends():
    ours, theirs = channel()
    other = Channel(theirs)
    yield ours, other
    ours.close()
    other.close()


def test_messages_arrive_as_they_were_told(ends):
    one, other = ends
    told = [Report("ok"), Line("error", "words", {"reason": "x"}), Work("/d", KEYS, ("http://w key",))]
    for message in told:
        one.tell(message)
    assert [other.hear() for _ in told] == told
    assert other.hear(0) is None


def test_whoever_takes_no_messages_keeps_nobody_waiting(ends):
    one, _ = ends
    for _ in range(100_000):
        one.tell(Report("log behind: " + "x" * 1000))


def test_what_was_told_before_an_end_is_heard_though_not_all_was_read_there(ends):
    """As when two orders to end cross with the last report, which tells that the log is begun."""
    one, other = ends
    one.tell(Stop())
    other.tell(Report("ok"))
    other.close()
    assert one.hear() == Report("ok")
    with pytest.raises(EOFError):
        one.hear()


def test_the_end_of_the_other_side_is_heard(ends):
    one, other = ends
    one.tell(Report("ok"))
    other.close()
    with pytest.raises(EOFError):
        one.hear()
    one.tell(Report("ok"))


def test_a_socket_is_not_handed_on_to_other_processes(ends):
    assert not any(os.get_inheritable(end._socket.fileno()) for end in ends)
    assert isinstance(ends[0]._socket, socket.socket)
