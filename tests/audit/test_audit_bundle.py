"""Bundles: of a log that a server goes on writing, and with no more opened than was asked for."""

import io
import json
import tarfile
import threading
from itertools import count, takewhile

import bundles
import msgspec
import pytest
from bundles import Bundle

from keystead.audit.bundle import chosen, events_of, pack
from keystead.audit.custody import known_log_keys
from keystead.audit.logfiles import Head, LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.audit.published import Published
from keystead.errors import LogError
from keystead.testing import RunningServer
from keystead.tlog import Pruned, note_leaf, sign_pruned
from keystead_verify.main import run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A data directory in which a server has run that was called; its log's keys."""
    data = tmp_path_factory.mktemp("recorded")
    with RunningServer(data, receipt_wait=300) as server:
        kms = bundles.patient(server)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"patient": "Jane Roe", "ward": "7"})
        keys = known_log_keys(server.store)
    return data, keys


def packed(log, keys, shown=(), **options):
    file = io.BytesIO()
    pack(file, log, keys.signer(keys.origin(None)).key, shown, **({"compress": False} | options))
    return file.getvalue()


def test_bundles_of_a_server_that_goes_on_are_whole(tmp_path):
    with RunningServer(tmp_path / "data") as server:
        kms = server.client("kms")
        keys = known_log_keys(server.store)
        done = threading.Event()

        def crowd():
            for number in takewhile(lambda _: not done.is_set(), count()):
                kms.generate_random(NumberOfBytes=1 + number % 2)  # no two in a row share an entry

        calls = threading.Thread(target=crowd)
        calls.start()
        sizes, files = set(), LogFiles(tmp_path / "data")
        try:
            while not sizes or max(sizes) < 600:
                log = Published.newest(files)
                if log is None or log.size in sizes:
                    continue
                sizes.add(log.size)
                (tmp_path / "bundle.tar").write_bytes(packed(log, keys))
                vkey = keys.signer(keys.origin(None)).key.text
                assert run(["bundle", str(tmp_path / "bundle.tar"), "--vkey", vkey]) == 0
        finally:
            done.set()
            calls.join()


@pytest.mark.parametrize("compress", [False, True])
def test_the_same_log_gives_the_same_bytes(recorded, compress):
    data, keys = recorded
    first, second = (packed(Published.newest(LogFiles(data)), keys, compress=compress) for _ in range(2))
    assert first == second


def test_what_is_asked_for_is_opened_and_no_more(recorded):
    data, keys = recorded
    log = Published.newest(LogFiles(data))
    number = log.size - 1
    entry = log.entry(number)
    events = events_of(data, entry)

    def pointers(*wanted):
        return [opening.pointer for opening in chosen(events, entry, number, keys.salts, wanted)]

    pairs = [f"/requestParameters/encryptionContext/{n}" for n in range(2)]
    assert pointers() == []
    assert pointers("event") == [""]
    assert pointers("/requestParameters/encryptionContext") == pairs
    assert pointers("/requestParameters") == ["/requestParameters", *pairs]
    assert pointers("/caller", pairs[1]) == ["/caller", pairs[1]]
    assert pointers("/call") == []
    assert pointers("all") == [*pointers("event"), "/caller", *pointers("/requestParameters")]
    shown = packed(log, keys, chosen(events, entry, number, keys.salts, [pairs[0]]))
    with tarfile.open(fileobj=io.BytesIO(shown)) as tar:
        content = b"".join(tar.extractfile(member).read() for member in tar)
    assert b"Jane Roe" in content
    for hidden in (b"ward", b"127.0.0.1", b":root"):
        assert hidden not in content


def test_a_note_has_nothing_to_open_and_a_record_may_be_gone(recorded, tmp_path):
    data, _ = recorded
    log = Published.newest(LogFiles(data))
    with pytest.raises(LogError, match="record 0 of journal w0 is a note"):
        events_of(data, log.entry(0))
    with pytest.raises(LogError, match="does not have record 1 any more"):
        events_of(tmp_path, log.entry(1))


def test_of_a_pruned_log_the_note_goes_along(tmp_path):
    """What the log signed to be pruned may be missing; what is missing otherwise is told, and not packed away."""
    keys = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
    signer = keys.signer(keys.origin(None))
    made = Bundle(tmp_path, signer)
    made.append([note_leaf(b'{"note":"x"}', "w0", number) for number in range(600)])
    made.write("log/head", msgspec.json.encode(Head(made.checkpoint, {"w0": 600})))
    log = Published.newest(LogFiles(tmp_path))
    for number in (0, 1):
        (tmp_path / f"log/tile/entries/00{number}").unlink()
    with pytest.raises(LogError, match="log/tile/entries/000 is missing, and was not pruned"):
        packed(log, keys)
    told = Pruned(time="2026-01-02T03:04:05Z", bundles=1, following={"w0": 256})
    made.write("log/pruned", sign_pruned(told, signer.key.name, signer).encode())
    with pytest.raises(LogError, match="log/tile/entries/001 is missing, and was not pruned"):
        packed(log, keys)
    told = msgspec.structs.replace(told, bundles=2, following={"w0": 512})
    made.write("log/pruned", sign_pruned(told, signer.key.name, signer).encode())
    (tmp_path / "bundle.tar").write_bytes(packed(log, keys))
    assert run(["bundle", str(tmp_path / "bundle.tar"), "--vkey", signer.key.text]) == 0
    assert log.place("w0", 599) == 599
    assert log.place("w0", 5) is None
    assert log.places({"nothing"}) == {}


def test_what_witnesses_signed_goes_along(tmp_path, capsys):
    """On a busy log the newest checkpoint has no cosignatures yet; an older one, which it continues, has."""
    made = Bundle(tmp_path)
    leaves = [note_leaf(b'{"note":"x"}', "w0", number) for number in range(300)]
    made.append(leaves[:290])
    made.cosign(1_900_000_000)
    files = LogFiles(tmp_path)
    files.keep_witnessed(made.checkpoint)
    made.append(leaves[290:])
    made.write("log/head", msgspec.json.encode(Head(made.checkpoint, {"w0": 300})))
    log = Published.newest(files)
    assert (log.size, log.cosignatures) == (300, 0)
    seen = Published.witnessed(files)
    assert (seen.size, seen.cosignatures) == (290, 1)
    file = io.BytesIO()
    pack(file, log, bundles.SIGNER.key, (), compress=False)
    (tmp_path / "bundle.tar").write_bytes(file.getvalue())
    keys = [
        "--vkey",
        bundles.SIGNER.key.text,
        "--witness-vkey",
        bundles.WITNESSES[0].key.text,
        "--quorum",
        "0",
    ]
    assert run(["bundle", str(tmp_path / "bundle.tar"), *keys, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["older_checkpoints"] == 1
