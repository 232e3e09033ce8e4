"""Seven kinds of tampering and more, each done to the evidence of a server that ran, each found and named."""

import time

import bundles
import pytest
from bundles import OTHER_SIGNER, SIGNER, WITNESSES, edited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VKEY = SIGNER.key.text


def swapped(entries, a, b):
    changed = list(entries)
    changed[a], changed[b] = changed[b], changed[a]
    return changed


def found(report, kind):
    return [finding for finding in report["findings"] if finding["kind"] == kind]


def test_what_nobody_touched_is_verified(bundle, verify):
    kinds, report = verify("bundle", bundle.path, "--vkey", VKEY)
    assert kinds == set()
    assert report["status"] == "verified"
    assert report["entries"] == bundle.size > 300
    assert report["journals"] == {"w0": bundle.size}
    assert report["trust"] == "given"
    assert report["checkpoint"]["size"] == bundle.size
    assert report["last_time"] >= report["first_time"] > "2020"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_bundle_may_be_one_file(bundle, verify, tmp_path, mode):
    file = bundle.tar(tmp_path / "bundle.tar", mode)
    assert verify("bundle", file, "--vkey", VKEY)[0] == set()


# ------------------------------------------------------------------------------ edited


def test_an_edited_entry(bundle, verify):
    bundle.change_bundle(0, lambda e: [*e[:7], edited(e[7], errorCode="AccessDenied"), *e[8:]])
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"edited"}
    assert report["findings"][0]["where"] == "entry 7"


def test_an_edited_entry_with_all_hashes_made_to_fit(bundle, verify):
    entries = bundle.entries
    bundle.rebuild([*entries[:7], edited(entries[7], errorCode="AccessDenied"), *entries[8:]])
    assert verify("bundle", bundle.path)[0] == {"edited"}


def test_an_entry_that_is_no_entry_any_more(bundle, verify):
    bundle.change_bundle(0, lambda e: [b"garbage", *e[1:]])
    # Its record of the journal is not there either.
    assert verify("bundle", bundle.path)[0] == {"edited", "malformed", "deleted"}


@pytest.mark.parametrize("name", ["log/tile/0/000", "log/tile/1/000.p/1"])
def test_an_edited_tile(bundle, verify, name):
    data = bytearray(bundle.read(name))
    data[5] ^= 1
    bundle.write(name, bytes(data))
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"edited"}
    assert [finding["where"] for finding in report["findings"]] == [name]


def test_a_missing_tile(bundle, verify):
    (bundle.path / "log/tile/0/000").unlink()
    assert verify("bundle", bundle.path)[0] == {"edited"}


# ----------------------------------------------------------------- deleted and inserted


def test_a_deleted_entry(bundle, verify):
    bundle.change_bundle(0, lambda e: e[:7] + e[8:])
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"deleted"}
    assert {finding["where"] for finding in report["findings"]} == {"entry 7", "before entry 7"}


def test_a_deleted_entry_with_all_others_moved_up(bundle, verify):
    entries = bundle.entries
    bundle.rebuild(entries[:7] + entries[8:])
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"deleted"}
    assert "record 7 of journal w0" in report["findings"][0]["detail"]


def test_a_deleted_bundle(bundle, verify):
    (bundle.path / "log/tile/entries/000").unlink()
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"deleted"}
    assert "records 0 to 255" in str(report["findings"])


def test_an_inserted_entry(bundle, verify):
    extra = edited(bundle.entries[7], index=100_000, journal="w9")
    bundle.change_bundle(1, lambda e: [e[0], extra, *e[1:]])
    assert "inserted" in verify("bundle", bundle.path)[0]


def test_a_duplicated_entry(bundle, verify):
    entries = bundle.entries
    bundle.rebuild([*entries[:7], entries[6], *entries[8:]])
    assert verify("bundle", bundle.path)[0] == {"duplicated", "deleted"}


# ---------------------------------------------------------------------------- reordered


@pytest.mark.parametrize("rebuilt", [False, True])
def test_reordered_entries(bundle, verify, rebuilt):
    if rebuilt:
        bundle.rebuild(swapped(bundle.entries, 7, 290))
    else:
        bundle.change_bundle(0, lambda e: swapped(e, 7, 9))
    assert verify("bundle", bundle.path)[0] == {"reordered"}


# ---------------------------------------------------------------------------- truncated


def test_a_truncated_log(bundle, verify):
    whole, note = bundle.size, bundle.read("log/checkpoint")
    entries = bundle.entries
    bundle.rebuild(entries[:270])
    bundle.write("log/checkpoint", note)
    kinds, report = verify("bundle", bundle.path)
    assert kinds == {"truncated"}
    assert f"the newest {whole - 270} entries" in report["findings"][0]["detail"]


def test_a_log_whose_last_files_are_gone(bundle, verify):
    for name in bundle.files():
        if name.startswith(("log/tile/entries/001", "log/tile/0/001")):
            (bundle.path / name).unlink()
    assert verify("bundle", bundle.path)[0] == {"truncated"}


# ------------------------------------------------------------------ forked, rolled back


def test_a_forked_log(bundle, verify):
    """Whoever has the log's key writes another history; somebody kept a checkpoint of the first."""
    bundle.write("checkpoints/kept", bundle.read("log/checkpoint"))
    entries = bundle.entries
    bundle.size = 0
    for name in bundle.files():
        (bundle.path / name).unlink()
    bundle.append(
        [edited(entries[0], errorCode="AccessDenied"), *entries[1:], edited(entries[1], index=bundle.size)]
    )
    kinds, _ = verify("bundle", bundle.path, "--vkey", VKEY)
    assert "forked" in kinds


def test_two_checkpoints_of_one_size(bundle, verify):
    other = bundle.checkpoint.replace(bundle.checkpoint.splitlines()[2], "A" * 43 + "=")
    text = other.partition("\n\n")[0] + "\n"
    bundle.write("checkpoints/other", f"{text}\n{SIGNER.sign(text)}".encode())
    assert verify("bundle", bundle.path)[0] == {"forked"}


def test_a_log_that_was_rolled_back(bundle, verify):
    bundle.write("checkpoints/newest", bundle.read("log/checkpoint"))
    entries = bundle.entries
    bundle.size = 0
    for name in bundle.files():
        (bundle.path / name).unlink()
    bundle.append(entries[:270])
    assert verify("bundle", bundle.path)[0] == {"rolled-back"}


def test_older_checkpoints_of_the_same_log_are_confirmed(recorded, verify, tmp_path):
    entries = recorded[0].entries
    bundle = bundles.Bundle(tmp_path / "b")
    for at in (0, 100, 256, 257, 300):
        bundle.append(entries[bundle.size : at])
        bundle.write(f"checkpoints/{at}", bundle.checkpoint.encode())
    kinds, report = verify("bundle", bundle.path, "--vkey", VKEY)
    assert kinds == set()
    assert report["older_checkpoints"] == 5


# --------------------------------------------------------------------------- signatures


def test_a_bad_signature(bundle, verify):
    bundle.write("log/checkpoint", bundle.read("log/checkpoint").replace(b"\n%d\n" % bundle.size, b"\n299\n"))
    assert verify("bundle", bundle.path)[0] == {"bad-signature"}


def test_a_signature_by_somebody_else(bundle, verify):
    assert verify("bundle", bundle.path, "--vkey", OTHER_SIGNER.key.text)[0] == {"bad-signature"}


def test_a_checkpoint_that_is_none(bundle, verify):
    bundle.write("log/checkpoint", b"\xff\n\n")
    assert verify("bundle", bundle.path)[0] == {"malformed"}


def test_too_few_witnesses(bundle, verify):
    bundle.cosign(int(time.time()), count=2)
    keys = [argument for w in WITNESSES for argument in ("--witness-vkey", w.key.text)]
    assert verify("bundle", bundle.path, *keys, "--quorum", 2)[0] == set()
    assert verify("bundle", bundle.path, *keys)[0] == {"unwitnessed"}


def test_an_entry_dated_after_it_was_witnessed(bundle, verify):
    bundle.cosign(1_000_000_000)
    kinds, report = verify("bundle", bundle.path, "--witness-vkey", WITNESSES[0].key.text)
    assert kinds == {"misdated"}
    assert report["findings_not_listed"] > 100


def test_keys_of_its_own_are_trusted_only_where_none_is_given(bundle, verify):
    _, report = verify("bundle", bundle.path)
    assert report["trust"] == "own"
    assert "brought along itself" in report["cannot_know"][0]


# ----------------------------------------------------------------------------- anything


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_byte_can_be_changed_unnoticed(recorded, verify, tmp_path_factory, data):
    bundle = recorded[0].copy(tmp_path_factory.mktemp("changed") / "b")
    name = data.draw(st.sampled_from([*bundle.files(), "log/checkpoint"]))
    content = bytearray(bundle.read(name))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    bundle.write(name, bytes(content))
    kinds, _ = verify("bundle", bundle.path, "--vkey", VKEY)
    assert kinds
