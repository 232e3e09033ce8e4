"""Each command of keystead-verify, on the evidence of a server that ran."""

import json
import subprocess
import sys
from base64 import b64encode

import bundles
import msgspec
import pytest
from bundles import OTHER_SIGNER, SIGNER, edited

from keystead.tlog import consistency, hash_reader

VKEY = SIGNER.key.text
NEVER = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"


@pytest.fixture
def growing(recorded, tmp_path):
    """A bundle that was published twice; the first checkpoint is in the file `old`."""
    bundle = bundles.Bundle(tmp_path / "growing")
    entries = recorded[0].entries
    bundle.append(entries[:270])
    (tmp_path / "old").write_text(bundle.checkpoint)
    bundle.append(entries[270:])
    return bundle, tmp_path / "old"


# ------------------------------------------------------------------------------- entry


def test_an_entry_is_proved_by_its_number_and_by_its_event(bundle, verify):
    kinds, report = verify("entry", bundle.path, "--index", 260, "--vkey", VKEY)
    assert kinds == set()
    content = report["entry"]["content"]
    assert content == json.loads(bundle.entries[260])
    _, again = verify("entry", bundle.path, "--event-id", content["eventID"], "--vkey", VKEY)
    assert again["entry"] == report["entry"]
    assert report["entry"]["number"] == 260


def test_an_entry_that_is_not_there_or_was_changed_is_not_proved(bundle, verify):
    assert verify("entry", bundle.path, "--index", bundle.size)[0] == {"not-logged"}
    assert verify("entry", bundle.path, "--event-id", "nothing")[0] == {"not-logged"}
    bundle.change_bundle(0, lambda e: [edited(e[0], errorCode="AccessDenied"), *e[1:]])
    assert verify("entry", bundle.path, "--index", 0)[0] == {"not-logged"}
    (bundle.path / "log/tile/entries/000").unlink()
    assert verify("entry", bundle.path, "--index", 0)[0] == {"malformed"}


# ----------------------------------------------------------------------------- receipts


def test_a_receipt_stands_alone(bundle, verify, tmp_path):
    receipt = tmp_path / "receipt"
    for content in (bundle.receipt(9), b64encode(bundle.receipt(9))):
        receipt.write_bytes(content)
        kinds, report = verify("receipt", receipt, "--vkey", VKEY)
        assert kinds == set()
        assert report["entry"] == {"number": 9, "content": json.loads(bundle.entries[9])}
    assert verify("receipt", receipt, "--vkey", OTHER_SIGNER.key.text)[0] == {"bad-signature"}
    assert "give --vkey" in verify("receipt", receipt)[1]["error"]


def test_a_receipt_of_another_entry_is_refused(bundle, verify, tmp_path):
    receipt, members = tmp_path / "receipt", json.loads(bundle.receipt(9))
    forged = b64encode(edited(bundle.entries[9], errorCode="AccessDenied")).decode()
    for change in ({"leaf": forged}, {"index": 10}, {"proof": members["proof"][1:]}, {"index": 10**9}):
        receipt.write_text(json.dumps(members | change))
        assert verify("receipt", receipt, "--vkey", VKEY)[0] == {"not-logged"}
    for garbage in (b"", b"{}", b"[]", b"////", json.dumps(members | {"proof": 5}).encode(), b"{" * 100_000):
        receipt.write_bytes(garbage)
        assert verify("receipt", receipt, "--vkey", VKEY)[0] == {"malformed"}


def test_a_log_that_dropped_a_receipts_entry_is_convicted(bundle, verify, tmp_path):
    receipt = tmp_path / "receipt"
    receipt.write_bytes(bundle.receipt(9))
    assert verify("entry", bundle.path, "--receipt", receipt)[0] == set()
    entries = bundle.entries
    other = bundles.Bundle(tmp_path / "other")
    other.append([*entries[:9], *entries[10:], *entries[-2:]])
    kinds, _ = verify("entry", other.path, "--receipt", receipt, "--vkey", VKEY)
    assert kinds == {"forked"}


# -------------------------------------------------------------------------- consistency


def test_a_log_grew(growing, verify, tmp_path):
    bundle, old = growing
    kinds, report = verify("consistency", old, bundle.path, "--vkey", VKEY)
    assert kinds == set()
    assert report["grew_from"] == 270
    proof = consistency(270, bundle.size, hash_reader(bundle.size, bundle.tile))
    (tmp_path / "proof").write_bytes(b"\n".join(b64encode(part) for part in proof))
    new = bundle.path / "log/checkpoint"
    assert verify("consistency", old, new, "--vkey", VKEY, "--proof", tmp_path / "proof")[0] == set()
    (tmp_path / "proof").write_bytes(b"\n".join(b64encode(part) for part in proof[1:]))
    assert verify("consistency", old, new, "--vkey", VKEY, "--proof", tmp_path / "proof")[0] == {"forked"}
    assert "--proof" in verify("consistency", old, new, "--vkey", VKEY)[1]["error"]
    assert "--vkey" in verify("consistency", old, new)[1]["error"]


def test_a_log_that_shrank_or_forked(growing, verify, tmp_path):
    bundle, old = growing
    new = bundle.path / "log/checkpoint"
    assert verify("consistency", new, old, "--vkey", VKEY)[0] == {"rolled-back"}
    entries = bundle.entries
    other = bundles.Bundle(tmp_path / "other")
    other.append([edited(entries[0], errorCode="AccessDenied"), *entries[1:]])
    assert verify("consistency", old, other.path, "--vkey", VKEY)[0] == {"forked"}
    assert verify("consistency", new, other.path, "--vkey", VKEY)[0] == {"forked"}
    other.write("log/tile/1/000.p/1", bytes(32))
    assert verify("consistency", old, other.path, "--vkey", VKEY)[0] == {"edited"}


# --------------------------------------------------------------------------------- used


def test_the_uses_of_a_key_are_listed(bundle, recorded, verify):
    kinds, report = verify("used", bundle.path, recorded[1], "--vkey", VKEY)
    assert kinds == set()
    assert report["used"] is True
    names = [use["eventName"] for use in report["uses"]]
    assert names.count("Encrypt") == 6
    assert names[0] == "CreateKey"
    assert {json.loads(bundle.entries[use["number"]])["eventID"] for use in report["uses"]} == {
        use["eventID"] for use in report["uses"]
    }
    assert any(report["last_time"] in limit for limit in report["cannot_know"])


def test_that_a_key_was_never_used_is_proved_as_far_as_the_log_reaches(bundle, recorded, verify):
    _, report = verify("used", bundle.path, NEVER, "--vkey", VKEY)
    assert report["uses"] == []
    assert report["status"] == "verified"
    last = report["last_time"]
    _, later = verify("used", bundle.path, recorded[1], "--from", "2999-01-01T00:00:00Z", "--vkey", VKEY)
    assert later["used"] is False
    _, before = verify("used", bundle.path, recorded[1], "--to", "2001-01-01T00:00:00Z", "--vkey", VKEY)
    assert before["used"] is False
    assert not any("which was asked for" in limit for limit in before["cannot_know"])
    _, after = verify("used", bundle.path, NEVER, "--to", "2999-01-01T00:00:00Z", "--vkey", VKEY)
    assert f"the time after {last}, which was asked for until 2999-01-01T00:00:00Z" in after["cannot_know"]
    assert "YYYY" in verify("used", bundle.path, NEVER, "--to", "tomorrow")[1]["error"]


def test_members_that_have_not_their_form_are_told_and_are_no_uses(bundle, recorded, verify):
    *older, newest, closed = bundle.entries
    signed = bundles.Bundle(bundle.path.with_name("signed"))
    signed.append([*older, edited(newest, eventTime=5, keys=[recorded[1]]), edited(closed, keys=5)])
    kinds, report = verify("used", signed.path, recorded[1], "--vkey", VKEY)
    assert kinds == {"malformed"}
    assert signed.size - 2 not in [use["number"] for use in report["uses"]]


def test_a_log_with_a_deleted_use_proves_nothing(bundle, recorded, verify):
    _, report = verify("used", bundle.path, recorded[1])
    at = report["uses"][-1]["number"]
    entries = bundle.entries
    bundle.rebuild(entries[:at] + entries[at + 1 :])
    assert verify("used", bundle.path, recorded[1])[0] == {"deleted"}


# ----------------------------------------------------------------------------- openings


def test_opened_values_are_shown(bundle, verify):
    encrypt = next(n for n, e in enumerate(bundle.events) if b'"Encrypt"' in e)
    bundle.open(encrypt)
    kinds, report = verify("openings", bundle.path, "--vkey", VKEY)
    assert kinds == set()
    values = {opened["pointer"]: opened["value"] for opened in report["opened"]}
    assert values["/requestParameters/encryptionContext/0"] == '["patient","Jane Roe"]'
    assert json.loads(values[""])["eventName"] == "Encrypt"


def test_false_openings_are_found(bundle, verify):
    lines = [json.loads(line) for line in bundle.open(3)]
    cases = [
        (lines[1] | {"value": "forged"}, "false-opening"),
        (lines[1] | {"pointer": "/userAgent/x"}, "false-opening"),
        (lines[0] | {"value": lines[0]["value"] + " "}, "false-opening"),
        (lines[1] | {"index": 10**6}, "malformed"),
        ({"index": 3}, "malformed"),
        (lines[1] | {"value": ["Jane"]}, "malformed"),
        (lines[1] | {"salt": 5}, "malformed"),
        ([], "malformed"),
    ]
    for opening, kind in cases:
        bundle.write("openings.jsonl", msgspec.json.encode(opening))
        assert verify("openings", bundle.path)[0] == {kind}
    bundle.write("openings.jsonl", b"{" * 100_000)
    assert verify("openings", bundle.path)[0] == {"malformed"}


# ---------------------------------------------------------------------------- the program


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle"],
        ["nonsense"],
        ["bundle", "/nonexistent"],
        ["bundle", "."],
        ["bundle", "{bundle}", "--vkey", "garbage"],
        ["bundle", "{bundle}", "--witness-vkey", VKEY],
        ["bundle", "{bundle}", "--quorum", "1"],
        ["entry", "{bundle}"],
        ["openings", "{bundle}"],
        ["receipt", "/nonexistent", "--vkey", VKEY],
    ],
)
def test_what_cannot_be_run_ends_with_status_2(bundle, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "keystead_verify", *(a.format(bundle=bundle.path) for a in arguments)],
        capture_output=True,
        check=False,
        text=True,
        cwd=bundle.path.parent,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "keystead-verify" in done.stderr


def test_the_program_speaks_to_people_too(bundle):
    command = [sys.executable, "-m", "keystead_verify", "bundle", str(bundle.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "VERIFIED")
    bundle.change_bundle(0, lambda e: [e[1], e[0], *e[2:]])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAIL reordered: entry 0" in done.stdout
    assert done.stdout.splitlines()[-1] == "TAMPERING FOUND"


def test_what_is_no_bundle_is_named(tmp_path, verify):
    for content in (b"garbage", b"\x1f\x8bgarbage"):
        (tmp_path / "file").write_bytes(content)
        assert verify("bundle", tmp_path / "file")[0] == {"malformed"}


def test_a_file_that_is_no_tile_is_named(bundle, verify):
    bundle.write("log/tile/0/0001", b"")
    assert verify("bundle", bundle.path)[0] == {"malformed"}


def test_it_needs_nothing_of_what_it_verifies():
    loaded = "import sys, keystead_verify.main; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in modules.stdout.split()} & {"keystead", "msgspec", "click"}
