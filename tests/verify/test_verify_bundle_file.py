"""The file that `audit export --bundle` writes, with the server stopped: verified, and tampered with in many ways."""

import json
import subprocess
import sys
from pathlib import Path

import bundles
import pytest
from bundles import Bundle, edited

from keystead.audit.custody import known_log_keys
from keystead.testing import RunningServer

KEYSTEAD = Path(sys.executable).with_name("keystead")
OPENED = ("--open", "all", "--operation", "Encrypt")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle file with openings, what signs its log, and the ARN of the key that was used."""
    place = tmp_path_factory.mktemp("exported")
    key = bundles.record(place / "data")
    file = place / "bundle.tar.gz"
    command = [KEYSTEAD, "audit", "export", "--data-dir", place / "data", "--bundle", file, *OPENED]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert " entries and 24 openings in " in said  # of each of six events: all of it, and three values
    with RunningServer(place / "data") as server:  # only to read its key
        keys = known_log_keys(server.store)
    return file, keys.signer(keys.origin(None)), key


@pytest.fixture
def unpacked(exported, tmp_path):
    return Bundle.unpacked(exported[0], tmp_path / "unpacked", exported[1])


def test_what_nobody_touched_is_verified(exported, verify):
    file, signer, key = exported
    kinds, report = verify("bundle", file, "--vkey", signer.key.text)
    assert kinds == set()
    assert report["entries"] == report["checkpoint"]["size"] > 300
    assert verify("bundle", file)[1]["trust"] == "own"
    kinds, report = verify("openings", file, "--vkey", signer.key.text)
    assert kinds == set()
    pairs = [
        opened["value"] for opened in report["opened"] if opened["pointer"].endswith("encryptionContext/0")
    ]
    assert pairs == ['["patient","Jane Roe"]'] * 6
    _, report = verify("used", file, key, "--vkey", signer.key.text)
    assert [use["eventName"] for use in report["uses"]].count("Encrypt") == 6


def test_the_operators_command_verifies_it_too(exported, unpacked):
    def verified(*more):
        done = subprocess.run(
            [KEYSTEAD, "audit", "verify", *more], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    file, signer, _ = exported
    code, shown, _ = verified("--bundle", file, "--vkey", signer.key.text)
    assert (code, shown.splitlines()[-1]) == (0, "VERIFIED")
    code, shown, _ = verified("--bundle", file, "--output", "json")
    assert (code, json.loads(shown)["trust"]) == (0, "own")
    unpacked.write("log/checkpoint", unpacked.read("log/checkpoint").replace(b"\n", b"\n\n", 1))
    code, shown, _ = verified("--bundle", unpacked.path)
    assert (code, shown.splitlines()[-1]) == (1, "TAMPERING FOUND")
    code, _, refused = verified("--bundle", file, "--state")
    assert (code, "--bundle excludes --state" in refused) == (2, True)
    code, _, refused = verified("--vkey", signer.key.text)
    assert (code, "--vkey needs --bundle" in refused) == (2, True)


def test_it_names_nobody_but_in_its_openings(unpacked):
    for name in unpacked.files():
        content = unpacked.read(name)
        for secret in (b"Jane Roe", b"alias/payroll", b"127.0.0.1", b"Boto3", b":root"):
            assert secret not in content


def swap(bundle):
    bundle.change_bundle(0, lambda e: [*e[:7], e[9], e[8], e[7], *e[10:]])


def edit(bundle):
    bundle.change_bundle(0, lambda e: [*e[:7], edited(e[7], errorCode="AccessDenied"), *e[8:]])


def edit_and_rehash(bundle):
    entries = bundle.entries
    bundle.rebuild([*entries[:7], edited(entries[7], errorCode="AccessDenied"), *entries[8:]])


def delete(bundle):
    bundle.change_bundle(0, lambda e: e[:7] + e[8:])


def insert(bundle):
    extra = edited(bundle.entries[7], index=100_000, journal="w9")
    bundle.change_bundle(1, lambda e: [e[0], extra, *e[1:]])


def duplicate(bundle):
    entries = bundle.entries
    bundle.rebuild([*entries[:7], entries[6], *entries[8:]])


def truncate(bundle):
    note, entries = bundle.read("log/checkpoint"), bundle.entries
    bundle.rebuild(entries[:270])
    bundle.write("log/checkpoint", note)


def start_again(bundle, entries):
    """Whoever has the log's key signs another log; the bundle keeps a checkpoint of the first."""
    bundle.write("checkpoints/kept", bundle.read("log/checkpoint"))
    for name in bundle.files():
        (bundle.path / name).unlink()
    bundle.size = 0
    bundle.append(entries)


def fork(bundle):
    first, *entries = bundle.entries
    more = edited(entries[-1], index=json.loads(entries[-1])["index"] + 1)
    start_again(bundle, [first, edited(entries[0], errorCode="AccessDenied"), *entries[1:], more])


def roll_back(bundle):
    start_again(bundle, bundle.entries[:270])


def replace_signature(bundle):
    other = Bundle(bundle.path, bundles.OTHER_SIGNER)
    other.rebuild(bundle.entries)
    other.write("log/checkpoint", other.checkpoint.encode())


@pytest.mark.parametrize(
    ("tamper", "kind", "where"),
    [
        (edit, "edited", "entry 7"),
        (edit_and_rehash, "edited", None),
        (delete, "deleted", "entry 7"),
        (insert, "inserted", "entry 257"),
        (swap, "reordered", "entry 7"),
        (truncate, "truncated", "entry 270"),
        (fork, "forked", None),
        (roll_back, "rolled-back", "checkpoints/kept"),
        (duplicate, "duplicated", "entry 7"),
        (replace_signature, "bad-signature", "log/checkpoint"),
    ],
)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tampering_is_found_and_named(unpacked, verify, tmp_path, tamper, kind, where, mode):
    tamper(unpacked)
    file = unpacked.tar(tmp_path / "tampered", mode)
    kinds, report = verify("bundle", file, "--vkey", unpacked.signer.key.text)
    assert kind in kinds
    found = [finding["where"] for finding in report["findings"] if finding["kind"] == kind]
    assert where in {None, *found}


def test_a_false_opening_is_found(unpacked, verify, tmp_path):
    lines = unpacked.read("openings.jsonl").replace(b"Jane Roe", b"John Doe")
    unpacked.write("openings.jsonl", lines)
    file = unpacked.tar(tmp_path / "tampered", "w:gz")
    kinds, report = verify("openings", file, "--vkey", unpacked.signer.key.text)
    assert kinds == {"false-opening"}
    assert len(report["findings"]) == 18  # of each Encrypt the event, its parameters, and the pair


@pytest.mark.parametrize("at", [0.2, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_not_verified(exported, verify, tmp_path, at):
    data = exported[0].read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[: int(len(data) * at)])
    kinds, report = verify("bundle", tmp_path / "cut.tar.gz", "--vkey", exported[1].key.text)
    assert kinds == {"malformed"}
    assert report["status"] == "tampering"
