"""Backups and upkeep beside a server that is being written to all the time."""

import shutil
import tarfile
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from processes import wait_until

from keystead.audit.custody import known_log_keys
from keystead.audit.journal import Journal
from keystead.cli import backup, journals
from keystead.cli.deployment import opened, the_seal
from keystead.cli.main import cli
from keystead.seal import ROOT_BYTES, rekey, stage_root
from keystead.testing import RunningServer


def keystead(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@contextmanager
def writing(server):
    """A block beside which aliases come and go; yields the ids of keys made and what they encrypted."""
    stop, made, failures = threading.Event(), [], []
    client = server.client()

    def work():
        try:
            while not stop.is_set():
                key = client.create_key()["KeyMetadata"]["KeyId"]
                made.append((key, client.encrypt(KeyId=key, Plaintext=b"note")["CiphertextBlob"]))
                client.create_alias(AliasName=f"alias/{key}", TargetKeyId=key)
                client.delete_alias(AliasName=f"alias/{key}")
        except Exception as error:  # told by the thread that waits
            failures.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()
    assert not failures


def waited_for(made, more):
    goal = len(made) + more
    pause = threading.Event()
    while len(made) < goal:
        pause.wait(0.01)


def test_a_backup_under_load_restores_with_every_change_and_its_event(tmp_path):
    data = tmp_path / "data"
    with RunningServer(data) as server, writing(server) as made:
        waited_for(made, 3)
        for number in range(3):
            before = list(made)
            keystead("backup", "create", tmp_path / f"{number}.tar", "--data-dir", data)
            with restored_copy(tmp_path, number, data) as restored:
                recorded = Counter(
                    event["eventName"] for event in restored.events() if "errorCode" not in event
                )
                client = restored.client()
                for key, blob in before:
                    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"note"
                    client.describe_key(KeyId=key)
                keys = client.list_keys(Limit=1000)["Keys"]
                # Each change that the copy holds has its event, and no event tells of a change it lacks.
                assert recorded["CreateKey"] == len(keys)
                waited_for(made, 2)


@pytest.fixture
def live(tmp_path):
    """A data directory whose store knows that the log has begun, with its server."""
    data = tmp_path / "data"
    with RunningServer(data) as server:
        server.client("kms").create_key()
        with opened(data, the_seal(data, None)) as store:
            wait_until(lambda: known_log_keys(store).begun)
        yield data


def copied_before_the_log(monkeypatch, *, copies):
    """None; the first `copies` backups find no log to copy, as before it begins."""
    left, copy_log = iter(range(copies)), backup._copy_log

    def copy(source, target):
        if next(left, None) is None:
            copy_log(source, target)

    monkeypatch.setattr(backup, "_copy_log", copy)


def test_a_backup_beside_which_the_log_begins_has_it(tmp_path, live, monkeypatch):
    """Without it, a server restored from the backup would take its log for lost."""
    copied_before_the_log(monkeypatch, copies=1)
    keystead("backup", "create", tmp_path / "0.tar", "--data-dir", live)
    with restored_copy(tmp_path, 0, live) as restored:
        assert restored.client().list_keys()["Keys"]


def test_a_backup_that_lacks_evidence_is_never_written(tmp_path, live, monkeypatch):
    copied_before_the_log(monkeypatch, copies=2)
    file = tmp_path / "file"
    result = CliRunner().invoke(cli, ["backup", "create", str(file), "--data-dir", str(live)])
    assert (result.exit_code, file.exists()) == (1, False)
    assert "the log began while the copy was made; make the backup again" in result.output


def test_a_log_that_the_store_does_not_know_of_yet_is_not_left_out(tmp_path, live, monkeypatch):
    """It begins a moment before the store is told."""
    monkeypatch.setattr(backup, "evidence_missing", lambda _directory, _store: ())
    copied_before_the_log(monkeypatch, copies=1)
    keystead("backup", "create", tmp_path / "0.tar", "--data-dir", live)
    with tarfile.open(tmp_path / "0.tar") as tar:
        assert any(name.endswith("log/head") for name in tar.getnames())


def test_a_log_that_is_lost_already_stops_no_backup(tmp_path):
    with RunningServer(tmp_path / "data") as server:
        server.client("kms").create_key()
    shutil.rmtree(tmp_path / "data" / "log")  # which a server would be writing to
    keystead("backup", "create", tmp_path / "file", "--data-dir", tmp_path / "data")


@contextmanager
def restored_copy(tmp_path, number, data):
    target = tmp_path / f"restored{number}"
    keystead(
        "backup",
        "restore",
        tmp_path / f"{number}.tar",
        "--data-dir",
        target,
        "--seal-key",
        data / "seal.key",
    )
    with RunningServer(target) as restored:
        yield restored


def test_the_barrier_is_rotated_and_the_seal_changed_under_load(tmp_path):
    data = tmp_path / "data"
    with RunningServer(data) as server:
        with writing(server) as made:
            for _ in range(3):
                waited_for(made, 2)
                keystead("seal", "rotate", "--data-dir", data)
                keystead("seal", "rekey", "--data-dir", data)
        client = server.client()
        for _, blob in made:
            assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"note"
        assert "epoch 4\n" in keystead("seal", "status", "--data-dir", data)
    with RunningServer(data) as server:
        for _, blob in made:
            assert server.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"note"
    keystead("audit", "verify", "--state", "--data-dir", data)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 50])
def test_a_journal_is_copied_up_to_a_commit_and_can_be_continued(tmp_path, cut):
    source, target = tmp_path / "source", tmp_path / "target"
    journal = Journal.open(source, "w0", segment_size=2048)
    for number in range(1, 50):
        journal.append([b"event %d" % number, b"x" * 200], number)
    (target / "journal" / "w0").mkdir(parents=True)
    journals.copy(source, "w0", target, cut)
    journal.abandon()
    copied = Journal.open(target, "w0", segment_size=2048)
    assert copied.recovered is None
    assert copied.anchor == min(cut, 49)
    assert [e for _, e in copied.read() if e != b"x" * 200] == [
        b"event %d" % n for n in range(1, min(cut, 49) + 1)
    ]
    copied.append([b"more"], 60)
    copied.close()
    assert journals.check(target, "w0").events == 2 * min(cut, 49) + 1


def test_an_interrupted_change_of_the_root_key_is_completed(tmp_path):
    data = tmp_path / "data"
    with RunningServer(data) as server:
        blob = server.client().encrypt(
            KeyId=server.client().create_key()["KeyMetadata"]["KeyId"], Plaintext=b"note"
        )["CiphertextBlob"]
    seal = the_seal(data, None)
    stage_root(data, seal, bytes(ROOT_BYTES))
    shutil.copytree(data, tmp_path / "early")
    with opened(data, seal) as store:
        store.rekey(bytes(ROOT_BYTES))
    for where in (data, tmp_path / "early"):
        refused = CliRunner().invoke(cli, ["seal", "rekey", "--data-dir", str(where)])
        assert "complete it with --new-root-key" in refused.output
        keystead("seal", "rekey", "--data-dir", where, "--new-root-key")
        assert not (where / "root.sealed.next").exists()
        with RunningServer(where) as server:
            assert server.client().decrypt(CiphertextBlob=blob)["Plaintext"] == b"note"


def test_an_interrupted_change_of_the_seal_key_loses_no_key(tmp_path):
    data = tmp_path / "data"
    with RunningServer(data):
        pass
    seal = the_seal(data, None)
    rekey(data, seal, seal.staged())  # and then the machine stopped
    keystead("seal", "rekey", "--data-dir", data)
    with RunningServer(data):
        pass
    seal.staged()  # stopped before the root key was wrapped by it
    refused = CliRunner().invoke(cli, ["seal", "rekey", "--data-dir", str(data)])
    assert "seal.key.next is left from an interrupted change" in refused.output
    with RunningServer(data):
        pass
