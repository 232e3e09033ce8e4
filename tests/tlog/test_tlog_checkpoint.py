from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.errors import LogError
from keystead.tlog.checkpoint import (
    LOG,
    WITNESS,
    Checkpoint,
    Signer,
    VerifierKey,
    decode64,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_proof,
    parse_signatures,
    parse_vkey,
    sign_checkpoint,
    verify,
)

# The example of Go's golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = decode64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

# The examples of C2SP tlog-checkpoint and tlog-cosignature.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""

LOG_SIGNER = Signer("log.example/keys", LOG, Secret(bytes(32)))
WITNESS_SIGNER = Signer("witness.example/w1", WITNESS, Secret(bytes([7]) * 32))
CHECKPOINT = Checkpoint("log.example/keys", 5, bytes(range(32)))


def test_the_published_note_verifies_and_is_signed_the_same():
    key = parse_vkey(VKEY)
    assert key.text == VKEY
    note = parse_note(f"{TEXT}\n{LINE}")
    assert note.text == TEXT
    assert [signed.key for signed in verify(note, [key])] == [key]
    assert Signer("PeterNeumann", LOG, Secret(SEED)).sign(TEXT) == LINE
    with pytest.raises(LogError, match="wrong"):
        verify(parse_note(f"{TEXT}\n{LINE}".replace("think", "thinK")), [key])


def test_the_published_checkpoint_is_read():
    note = parse_note(EXAMPLE)
    checkpoint = parse_checkpoint(note.text)
    assert checkpoint == Checkpoint(
        "example.com/behind-the-sofa", 20852163, decode64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    )
    assert checkpoint.text == note.text
    assert [(s.name, s.id.hex(), len(s.data)) for s in note.signatures] == [
        ("example.com/behind-the-sofa", "033de0ae", 64),
        ("witness.example.com/w1", "8d66cf3f", 72),
    ]
    assert int.from_bytes(note.signatures[1].data[:8], "big") == 1679315147


def test_a_vkey_that_is_mangled_is_refused():
    for start in range(len(VKEY)):
        for end in range(start + 1, len(VKEY) + 1):
            if (start, end) != (0, len(VKEY)):
                with pytest.raises(LogError):
                    parse_vkey(VKEY[start:end])
    for at in range(len(VKEY)):
        with pytest.raises(LogError):
            parse_vkey(VKEY[:at] + chr(ord(VKEY[at]) + 1) + VKEY[at + 1 :])


def test_a_vkey_of_a_kind_that_is_not_known_is_refused():
    with pytest.raises(LogError, match="Ed25519"):
        parse_vkey(VerifierKey("x", 2, bytes(32)).text)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.integers(0, 2**63 - 1))
def test_a_checkpoint_is_signed_by_the_log_and_a_witness(size, root, time):
    size %= 10**18
    checkpoint = Checkpoint("log.example/keys", size, root)
    note = sign_checkpoint(checkpoint, LOG_SIGNER) + WITNESS_SIGNER.sign(checkpoint.text, time)
    assert open_checkpoint(note, [LOG_SIGNER.key]) == checkpoint
    signed = verify(parse_note(note), [LOG_SIGNER.key, WITNESS_SIGNER.key])
    assert [(s.key, s.time) for s in signed] == [(LOG_SIGNER.key, None), (WITNESS_SIGNER.key, time)]


def test_a_signature_by_nobody_known_counts_for_nothing():
    note = sign_checkpoint(CHECKPOINT, LOG_SIGNER)
    with pytest.raises(LogError, match="trusted"):
        open_checkpoint(note, [WITNESS_SIGNER.key])
    namesake = Signer("log.example/keys", LOG, Secret(bytes([1]) * 32))
    with pytest.raises(LogError, match="trusted"):
        open_checkpoint(note, [namesake.key])


def test_one_wrong_signature_by_a_known_key_spoils_the_note():
    other = WITNESS_SIGNER.sign(Checkpoint("log.example/keys", 6, bytes(32)).text, 9)
    with pytest.raises(LogError, match="wrong"):
        verify(
            parse_note(sign_checkpoint(CHECKPOINT, LOG_SIGNER) + other), [LOG_SIGNER.key, WITNESS_SIGNER.key]
        )


def test_a_cosignature_cannot_be_dated_otherwise():
    name, encoded = WITNESS_SIGNER.sign(CHECKPOINT.text, 1000).removeprefix("— ").split()
    data = bytearray(decode64(encoded))
    for time in (999, 1 << 63):
        data[4:12] = time.to_bytes(8, "big")
        line = f"— {name} {b64encode(data).decode()}\n"
        with pytest.raises(LogError):
            verify(parse_note(f"{CHECKPOINT.text}\n{line}"), [WITNESS_SIGNER.key])


def test_a_logs_signature_is_no_cosignature():
    as_witness = VerifierKey(LOG_SIGNER.key.name, WITNESS, LOG_SIGNER.key.public)
    assert as_witness.id != LOG_SIGNER.key.id
    with pytest.raises(LogError):
        open_checkpoint(sign_checkpoint(CHECKPOINT, LOG_SIGNER), [as_witness])


GOOD = sign_checkpoint(CHECKPOINT, LOG_SIGNER)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        CHECKPOINT.text,
        GOOD[:-1],
        GOOD.replace("\n\n", "\n"),
        GOOD + "\n",
        GOOD.replace("— ", "- "),
        GOOD.replace("— log", "—  log"),
        GOOD.replace("keys ", "keys\t"),
        GOOD[:-2] + "\n",
        GOOD + "— x AAAAAA==\n",
        GOOD + "— a+b AAAAAAAA\n",
        GOOD.replace("keys", "k\x00eys"),
        GOOD.replace("keys", "k\udc80eys"),
        "x" * (300 << 10) + GOOD,
    ],
)
def test_what_is_no_note_is_refused(note):
    with pytest.raises(LogError):
        verify(parse_note(note), [LOG_SIGNER.key])


ROOT = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"origin\n5\n{ROOT}",
        f"\n5\n{ROOT}\n",
        f"origin\n05\n{ROOT}\n",
        f"origin\n-5\n{ROOT}\n",
        f"origin\n+5\n{ROOT}\n",
        f"origin\n5 \n{ROOT}\n",
        f"origin\n\u0665\n{ROOT}\n",
        f"origin\n5\n{ROOT[:-4]}\n",
        f"origin\n5\n{ROOT[:-2]}B=\n",
        f"origin\n5\n{ROOT}\n\n",
        f"origin\n{'9' * 30}\n{ROOT}\n",
        "origin\n5\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(LogError):
        parse_checkpoint(text)


def test_extension_lines_are_kept():
    checkpoint = Checkpoint("origin", 5, bytes(32), ("one", "two"))
    assert parse_checkpoint(checkpoint.text) == checkpoint


@given(st.text())
def test_any_text_is_one_note_or_none(text):
    for parse in (parse_note, parse_signatures, parse_vkey, parse_checkpoint):
        try:
            parse(text)
        except LogError:
            continue


def test_a_proof_is_lines_of_hashes():
    assert parse_proof([ROOT, ROOT]) == [bytes(32)] * 2
    for line in ("", ROOT[:-4], ROOT + "\n"):
        with pytest.raises(LogError):
            parse_proof([line])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", " a", "a\n", "a\x01b"])
def test_a_key_has_a_name_that_a_note_can_hold(name):
    with pytest.raises(LogError):
        Signer(name, LOG, Secret(bytes(32)))


def test_a_signer_shows_no_key():
    assert repr(LOG_SIGNER) == "<Signer>"
