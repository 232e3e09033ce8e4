"""Witnesses over real sockets: what they sign, what they refuse, what they still know after a restart."""

import re
import signal
import socket
import subprocess
import sys
import threading

import naive_tree
import pytest
from processes import wait_until
from structlog.testing import capture_logs
from witnesses import RunningWitness

from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logkeys import LogKeys
from keystead.audit.witness import Memory, Witness
from keystead.audit.witnessing import Witnesses, parse_address
from keystead.clock import ManualClock
from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.errors import LogError, SettingsError
from keystead.tlog import Checkpoint, Signer, consistency, hash_reader, sign_checkpoint
from keystead.tlog.checkpoint import LOG, parse_note, verify
from keystead.tlog.witness import Submission, encode_submission

LOG_SIGNER = Signer("log.example", LOG, Secret(bytes(32)))
LEAVES = [b"entry %d" % number for number in range(40)]


def note(size, leaves=LEAVES, signer=LOG_SIGNER):
    return sign_checkpoint(Checkpoint("log.example", size, naive_tree.root(leaves[:size])), signer)


def prove(new, leaves=LEAVES):
    read = hash_reader(new, naive_tree.TileLog(leaves[:new]).read)
    return lambda old: consistency(old, new, read)


def submission(old, new, leaves=LEAVES, **options):
    proof = prove(new, leaves)(old) if old <= new else []
    return encode_submission(Submission(old, tuple(proof), note(new, leaves, **options)))


def signed_at(witness, size, answer):
    (signed,) = verify(parse_note(note(size) + answer), [witness.signer.key])
    return signed.time


@pytest.fixture
def witness(tmp_path):
    """A witness whose time stands still, so that no second passes between a signature and what it is held against."""
    clock = ManualClock(start=1_800_000_000.5)
    with RunningWitness(tmp_path / "w", LOG_SIGNER.key, clock) as running:
        yield running


# ------------------------------------------------------------------------- the witness


def test_a_log_that_grows_is_signed(witness):
    for old, new in ((0, 5), (5, 5), (5, 8), (8, 40)):
        status, kind, answer = witness.post(submission(old, new))
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert signed_at(witness, new, answer) == int(witness.clock.now())


def test_what_it_last_signed_is_told_to_who_does_not_know(witness):
    witness.post(submission(0, 5))
    for old in (0, 3):
        assert witness.post(submission(old, 8)) == (409, "text/x.tlog.size", "5\n")


def test_a_log_that_was_rolled_back_is_not_signed(witness):
    witness.post(submission(0, 8))
    assert witness.post(submission(5, 5))[0] == 409
    assert witness.post(submission(8, 5))[0] == 400


def test_a_log_that_forked_is_not_signed(witness):
    witness.post(submission(0, 8))
    other = [b"forged", *LEAVES[1:]]
    assert witness.post(submission(8, 8, other))[:2] == (409, "text/x.tlog.size")
    assert witness.post(submission(8, 20, other))[0] == 422
    assert witness.post(submission(8, 20))[0] == 200


def test_a_log_that_nobody_told_it_of_is_unknown(witness):
    checkpoint = Checkpoint("other.example", 0, naive_tree.root([]))
    body = encode_submission(Submission(0, (), sign_checkpoint(checkpoint, LOG_SIGNER)))
    assert witness.post(body)[0] == 404


def test_a_log_that_did_not_sign_is_forbidden(witness):
    other = Signer("log.example", LOG, Secret(bytes([1]) * 32))
    assert witness.post(submission(0, 5, signer=other))[0] == 403
    wrong = submission(0, 5).replace(b"log.example\n5\n", b"log.example\n6\n")
    assert witness.post(wrong)[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"old 0\n\n",
        submission(0, 5).replace(b"old 0", b"old 00"),
        submission(0, 5).replace(b"old 0\n", b""),
        submission(0, 5).replace(b"old 0\n", b"old 0\nAAAA\n"),
        submission(0, 5).replace(b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64),
        submission(0, 5)[:-1],
    ],
)
def test_what_is_malformed_is_told_so(witness, body):
    assert witness.post(body)[0] == 400


def test_a_first_checkpoint_takes_no_proof(witness):
    body = submission(0, 5).replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n")
    assert witness.post(body)[0] == 422


def test_nothing_else_is_served(witness):
    assert witness.post(b"", path="/")[0] == 404
    assert witness.post(None, method="GET")[0] == 405


def test_what_it_signed_is_known_after_a_restart_and_time_does_not_go_back(tmp_path):
    clock = ManualClock()
    with RunningWitness(tmp_path / "w", LOG_SIGNER.key, clock) as witness:
        first = signed_at(witness, 8, witness.post(submission(0, 8))[2])
        key = witness.signer.key
    earlier = ManualClock(clock.now() - 1000)
    with RunningWitness(tmp_path / "w", LOG_SIGNER.key, earlier) as witness:
        assert witness.signer.key == key
        assert witness.post(submission(0, 5)) == (409, "text/x.tlog.size", "8\n")
        status, _, answer = witness.post(submission(8, 9))
        assert status == 200
        assert signed_at(witness, 9, answer) >= first


def test_two_processes_do_not_share_a_memory(tmp_path):
    memory = Memory(tmp_path)
    with pytest.raises(LogError, match="used by another"):
        Memory(tmp_path)
    memory.close()
    Memory(tmp_path).close()


def test_a_witness_that_cannot_remember_does_not_sign(tmp_path):
    memory = Memory(tmp_path / "w")
    signer = memory.signer("w", SystemEntropy())
    witness = Witness(memory, signer, [LOG_SIGNER.key], ManualClock())
    for file in (tmp_path / "w").iterdir():
        file.unlink()
    (tmp_path / "w").rmdir()
    request = type("Request", (), {"path": "/add-checkpoint", "method": "POST", "body": submission(0, 5)})
    assert witness.answer(request).status == 507
    witness.close()
    memory.close()


def test_a_damaged_memory_is_not_taken_for_an_empty_one(tmp_path):
    with RunningWitness(tmp_path / "w", LOG_SIGNER.key) as witness:
        witness.post(submission(0, 8))
        (seen,) = (tmp_path / "w").glob("*.seen")
        seen.write_bytes(b"")
        assert witness.post(submission(0, 5))[0] == 507


# -------------------------------------------------------------------------- the client


def test_a_log_gets_its_witness_line(witness):
    witnesses = Witnesses([witness.address], patience=300)
    for size in (5, 8, 8, 40):
        (line,) = witnesses.cosign(note(size), prove(size))
        assert signed_at(witness, size, line) == int(witness.clock.now())


def test_the_log_of_journals_shows_its_witnesses_line_until_it_grows(tmp_path):
    keys = LogKeys("11111111-2222-4333-a444-555555555555", bytes(range(32)), bytes(32))
    signer = keys.signer(keys.origin(None))
    journal = Journal.open(tmp_path, "w0")
    with RunningWitness(tmp_path / "witness", signer.key) as witness:
        sequencer = Sequencer(
            tmp_path, keys, lambda _: None, witnesses=Witnesses([witness.address], patience=300)
        )
        for number in range(300):
            journal.append([b'{"eventID":"%d"}' % number])
            if number % 100 == 99:
                sequencer.run()
                unsigned = (tmp_path / "log" / "checkpoint").read_text()
                sequencer.witness()
                note = parse_note((tmp_path / "log" / "checkpoint").read_text())
                assert [signed.key for signed in verify(note, [signer.key, witness.signer.key])] == [
                    signer.key,
                    witness.signer.key,
                ]
                assert parse_note(unsigned).text == note.text
    journal.close()


def test_a_log_that_starts_anew_is_told_what_the_witness_knows(witness):
    Witnesses([witness.address], patience=300).cosign(note(5), prove(5))
    assert len(Witnesses([witness.address], patience=300).cosign(note(40), prove(40))) == 1


def test_a_witness_is_asked_again_once_it_has_answered_however_late_the_thread_ends(witness, monkeypatch):
    run, over = threading.Thread.run, threading.Event()

    def lingering(self):
        run(self)
        over.wait()

    monkeypatch.setattr(threading.Thread, "run", lingering)
    witnesses = Witnesses([witness.address], patience=300)
    signed = [len(witnesses.cosign(note(size), prove(size))) for size in (5, 8)]
    over.set()
    assert signed == [1, 1]


def test_a_log_that_forked_or_shrank_gets_no_line(witness):
    witnesses = Witnesses([witness.address], patience=300)
    witnesses.cosign(note(8), prove(8))
    other = [b"forged", *LEAVES[1:]]
    for size, leaves in ((5, LEAVES), (8, other), (20, other)):
        another = Witnesses([witness.address], patience=300)
        assert another.cosign(note(size, leaves), prove(size, leaves)) == []
        assert witnesses.cosign(note(size, leaves), prove(size, leaves)) == []
    assert len(witnesses.cosign(note(9), prove(9))) == 1


def test_a_log_tells_why_it_got_no_line(witness):
    stranger = Signer("other.example/log", 1, Secret(bytes([7]) * 32))
    unknown = sign_checkpoint(Checkpoint("other.example/log", 1, bytes(32)), stranger)
    with capture_logs() as logs:
        assert Witnesses([witness.address], patience=300).cosign(unknown, prove(1)) == []
    (refused,) = [line for line in logs if line["event"] == "a witness refused"]
    assert (refused["status"], refused["reason"]) == (404, "no such log is witnessed here")


def test_a_dead_and_a_silent_witness_do_not_keep_the_others_from_signing(witness):
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as gone:
        key = witness.signer.key.text
        silent_port, gone_port = silent.getsockname()[1], gone.getsockname()[1]
        gone.close()
        addresses = [parse_address(f"http://127.0.0.1:{port} {key}") for port in (silent_port, gone_port)]
        witnesses = Witnesses([*addresses, witness.address], patience=1.0)
        for size in (5, 8):  # a second may be too short for the witness, too, where the machine is busy
            wait_until(lambda: len(witnesses.cosign(note(size), prove(size))) == 1)  # noqa: B023  called before the loop goes on


def test_a_signature_by_another_key_is_not_taken(witness):
    stranger = Signer("witness.example/w1", 4, Secret(bytes([5]) * 32)).key.text
    address = parse_address(f"http://127.0.0.1:{witness.port} {stranger}")
    assert Witnesses([address], patience=300).cosign(note(5), prove(5)) == []


@pytest.mark.parametrize(
    "text", ["", "http://x", "ftp://x " + LOG_SIGNER.key.text, f"http://x {LOG_SIGNER.key.text}", "x y"]
)
def test_what_is_no_witness_is_refused_by_name(text):
    with pytest.raises(SettingsError, match="witnesses"):
        Witnesses.configured([text])


# ------------------------------------------------------------------------- the command


def test_the_command_serves_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-c", "from keystead.cli.main import main; main()", "witness"]
    options = ["--data-dir", str(tmp_path / "w"), "--listen", "127.0.0.1:0", "--log", LOG_SIGNER.key.text]
    refused = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert (refused.returncode, "--name" in refused.stderr) == (2, True)
    beyond = [*options[:3], "0.0.0.0:0", *options[4:], "--name", "w"]
    refused = subprocess.run([*command, *beyond], capture_output=True, text=True, check=False)
    assert (refused.returncode, "TLS" in refused.stderr) == (2, True)
    with subprocess.Popen([*command, *options, "--name", "w"], stdout=subprocess.PIPE, text=True) as process:
        url = re.fullmatch(r"keystead witness ready on (http://\S+)\n", process.stdout.readline())[1]
        vkey = process.stdout.readline().removeprefix("verifier key: ").strip()
        address = parse_address(f"{url} {vkey}")
        assert len(Witnesses([address], patience=300).cosign(note(5), prove(5))) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
