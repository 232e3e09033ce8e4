"""A log that was pruned is verified as far as it goes, and the report says what is gone; nobody else can prune it."""

import json

import bundles
import pytest

from keystead.tlog import Pruned, sign_pruned


@pytest.fixture
def pruned(bundle):
    """The first bundle is gone, and a note by the log tells so; also what was gone."""
    gone = bundle.entries[:256]
    receipt = bundle.receipt(7)
    tell(bundle, note())
    (bundle.path / "log/tile/entries/000").unlink()
    return bundle, gone, receipt


def note(signer=bundles.SIGNER, origin=bundles.ORIGIN, **changes):
    told = {
        "time": "2026-01-02T03:04:05Z",
        "bundles": 1,
        "following": {"w0": 256},
        "newest": "2026-01-01T00:00:00Z",
    }
    return sign_pruned(Pruned(**told | changes), origin, signer)


def tell(bundle, text):
    bundle.write("log/pruned", text.encode())


def test_what_is_left_is_verified_and_what_is_gone_is_told(pruned, verify):
    bundle, _, _ = pruned
    kinds, report = verify("bundle", bundle.path, "--vkey", bundles.SIGNER.key.text)
    assert not kinds
    assert report["status"] == "verified"
    assert report["entries"] == bundle.size - 256
    assert report["pruned"]["entries"] == 256
    assert report["journals"] == {"w0": bundle.size}
    assert any("first 256 entries" in limit for limit in report["cannot_know"])


def test_what_is_told_to_be_pruned_may_be_there(bundle, verify):
    tell(bundle, note())
    kinds, report = verify("bundle", bundle.path)
    assert not kinds
    assert report["entries"] == bundle.size


def test_missing_entries_without_the_note_are_a_deletion(pruned, verify):
    bundle, _, _ = pruned
    (bundle.path / "log/pruned").unlink()
    assert verify("bundle", bundle.path)[0] == {"deleted"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"signer": bundles.OTHER_SIGNER}, "bad-signature"),
        ({"origin": "keystead.example/other"}, "forked"),
        ({"bundles": 2, "following": {"w0": 512}}, "rolled-back"),
        ({"following": {"w0": 255}}, "malformed"),
        ({"following": {"w0": 255, "w1": 1}}, "deleted"),
    ],
)
def test_a_note_that_does_not_hold_excuses_nothing(pruned, verify, changes, kind):
    bundle, _, _ = pruned
    tell(bundle, note(**changes))
    assert kind in verify("bundle", bundle.path, "--vkey", bundles.SIGNER.key.text)[0]


def test_a_checkpoint_is_no_note_of_pruning(pruned, verify):
    bundle, _, _ = pruned
    tell(bundle, bundle.checkpoint)
    assert "malformed" in verify("bundle", bundle.path)[0]


def test_an_edited_note(pruned, verify):
    bundle, _, _ = pruned
    content = bundle.read("log/pruned").replace(b'"bundles":1', b'"bundles":2')
    bundle.write("log/pruned", content)
    assert "bad-signature" in verify("bundle", bundle.path)[0]


def test_hashes_are_never_pruned(pruned, verify):
    bundle, _, _ = pruned
    (bundle.path / "log/tile/0/000").unlink()
    assert "deleted" in verify("bundle", bundle.path)[0]


def test_an_edited_hash_of_what_is_gone(pruned, verify):
    bundle, _, _ = pruned
    content = bytearray(bundle.read("log/tile/0/000"))
    content[40] ^= 1
    bundle.write("log/tile/0/000", bytes(content))
    assert "edited" in verify("bundle", bundle.path)[0]


def test_a_record_missing_right_behind_what_is_gone(bundle, verify):
    left = bundle.entries
    bundle.rebuild([*left[:256], *left[257:]])
    bundle.size = len(left) - 1
    note_text = note()
    bundle.append([left[-1]])
    tell(bundle, note_text)
    (bundle.path / "log/tile/entries/000").unlink()
    assert "deleted" in verify("bundle", bundle.path)[0]


def test_one_entry_of_what_is_gone(pruned, verify, tmp_path):
    bundle, gone, receipt = pruned
    assert "entry 7 is pruned" in verify("entry", bundle.path, "--index", 7)[1]["error"]
    name = json.loads(gone[7])["eventID"]
    assert "no entry that is left" in verify("entry", bundle.path, "--event-id", name)[1]["error"]
    assert not verify("entry", bundle.path, "--index", 300)[0]
    file = tmp_path / "receipt"
    file.write_bytes(receipt)
    kinds, report = verify("entry", bundle.path, "--receipt", file)
    assert not kinds
    assert report["entry"]["content"] == json.loads(gone[7])
    forged = json.loads(receipt)
    bundle.append([gone[3]])
    assert not verify("entry", bundle.path, "--receipt", file)[0]
    forged["index"] = 8
    file.write_text(json.dumps(forged))
    assert verify("entry", bundle.path, "--receipt", file)[0] == {"not-logged"}


def test_uses_are_told_of_what_is_left(pruned, recorded, verify):
    bundle, _, _ = pruned
    kinds, report = verify("used", bundle.path, recorded[1])
    assert not kinds
    assert all(use["number"] >= 256 for use in report["uses"])
    assert any("first 256 entries" in limit for limit in report["cannot_know"])
