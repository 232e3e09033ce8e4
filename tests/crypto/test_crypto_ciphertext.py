import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Aead
from keystead.crypto.ciphertext import (
    HEADER_BYTES,
    OVERHEAD,
    Header,
    canonical_context,
    decrypt,
    encode_header,
    encrypt,
    parse,
)
from keystead.errors import DecryptionFailed

ROOT = Path(__file__).parent.parent.parent
GOLDEN = Path(__file__).parent / "golden" / "ciphertext-v1.json"
VECTORS = json.loads(GOLDEN.read_text(encoding="ascii"))

AEAD = Aead(bytes(32))
SALT = bytes(32)
HEADER = Header("000000000042", "1234abcd-12ab-34cd-56ef-1234567890ab", "5a" * 32)
CONTEXT = {"tenant": "42", "app": "billing"}
BLOB = encrypt(AEAD, encode_header(HEADER), b"plaintext", CONTEXT, SALT)

HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
KEY_IDS = st.one_of(
    HEX.map("mrk-{}".format),
    HEX.map(lambda h: f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"),
)
HEADERS = st.builds(
    Header, st.from_regex("[0-9]{12}", fullmatch=True), KEY_IDS, st.tuples(HEX, HEX).map("".join)
)
CONTEXTS = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=4)


# ------------------------------------------------------------------------- round trips


@given(header=HEADERS, plaintext=st.binary(max_size=64), context=CONTEXTS)
def test_decrypts_what_it_encrypted_and_names_the_key(header, plaintext, context):
    blob = encrypt(AEAD, encode_header(header), plaintext, context, SALT)
    assert len(blob) == len(plaintext) + OVERHEAD
    assert parse(blob) == (header, blob[HEADER_BYTES:])
    assert decrypt(AEAD, blob, dict(reversed(context.items()))) == plaintext


def test_the_largest_plaintext_fits_what_decrypt_takes():
    assert len(encrypt(AEAD, encode_header(HEADER), bytes(4096), CONTEXT, SALT)) == 4234


@pytest.mark.parametrize(
    "fields",
    [
        {"account": "42"},
        {"account": "00000000004x"},
        {"account": "٠٠٠٠٠٠٠٠٠٠٤٢"},  # digits that int() would take
        {"key_id": "1234ABCD-12ab-34cd-56ef-1234567890ab"},
        {"key_id": "1234abcd12ab34cd56ef1234567890ab"},
        {"key_id": "mrk-1234abcd-12ab-34cd-56ef-1234567890ab"},
        {"key_id": "mrk-1234abcd12ab34cd56ef1234567890ab\n"},
        {"key_id": "alias/x"},
        {"material_id": "5A" * 32},
        {"material_id": "5a" * 31},
    ],
)
def test_headers_in_another_form_are_not_encoded(fields):
    values = {"account": HEADER.account, "key_id": HEADER.key_id, "material_id": HEADER.material_id}
    with pytest.raises(ValueError, match="header"):
        encode_header(Header(**values | fields))


# ----------------------------------------------------------------------------- refusals


@given(place=st.integers(0, len(BLOB) * 8 - 1))
def test_any_flipped_bit_is_refused(place):
    changed = bytearray(BLOB)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(DecryptionFailed):
        decrypt(AEAD, bytes(changed), CONTEXT)


@given(length=st.integers(0, len(BLOB) - 1))
def test_any_truncation_is_refused(length):
    with pytest.raises(DecryptionFailed):
        decrypt(AEAD, BLOB[:length], CONTEXT)


@given(context=CONTEXTS)
def test_any_other_context_is_refused(context):
    with pytest.raises(DecryptionFailed):
        decrypt(AEAD, BLOB, context)


@given(st.binary(max_size=200))
def test_parse_takes_or_refuses_any_bytes(data):
    try:
        header, sealed = parse(data)
    except DecryptionFailed:
        return
    assert encode_header(header) + sealed == data


@pytest.mark.parametrize(
    "blob",
    [
        b"\x00" + BLOB[1:],
        b"\x02" + BLOB[1:],
        BLOB[:1] + b"\x02" + BLOB[2:],
        BLOB[:18] + (10**12).to_bytes(8, "big") + BLOB[26:],
        BLOB[: OVERHEAD - 1],
        b"",
    ],
)
def test_parse_refuses_what_no_encoder_writes(blob):
    with pytest.raises(DecryptionFailed):
        parse(blob)


# ------------------------------------------------------------------------------ context


def test_canonical_context_byte_by_byte():
    expected = "00000002000000016100000002626300000002c3a400000000"
    assert canonical_context({"ä": "", "a": "bc"}).hex() == expected


@given(one=CONTEXTS, other=CONTEXTS)
def test_canonical_context_is_injective(one, other):
    assert (canonical_context(one) == canonical_context(other)) == (one == other)


@given(CONTEXTS)
def test_canonical_context_reads_back(context):
    data = canonical_context(context)
    assert _read_context(data) == context


def test_no_context_is_the_empty_context():
    assert canonical_context(None) == canonical_context({}) == bytes(4)


def test_names_sort_by_utf_8_not_by_utf_16():
    data = canonical_context({"\U0001f511": "", "\ufffd": ""})
    assert data.index("\ufffd".encode()) < data.index("\U0001f511".encode())


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(ValueError, match="surrogates"):
        canonical_context({"a": "\ud800"})


def _read_context(data):
    position = 4

    def text():
        nonlocal position
        length = int.from_bytes(data[position : position + 4], "big")
        position += 4 + length
        return data[position - length : position].decode()

    pairs = [(text(), text()) for _ in range(int.from_bytes(data[:4], "big"))]
    assert position == len(data)
    return dict(pairs)


# -------------------------------------------------------------------------- golden blobs


@pytest.mark.parametrize("vector", VECTORS["decrypt"], ids=lambda vector: vector["name"])
def test_golden_blobs_decrypt_for_ever(vector):
    blob = bytes.fromhex(vector["blob"])
    aead = Aead(bytes.fromhex(vector["key"]))
    header, _ = parse(blob)
    assert header == Header(vector["account"], vector["key_id"], vector["material_id"])
    assert decrypt(aead, blob, vector["context"]).hex() == vector["plaintext"]
    salt, plaintext = bytes.fromhex(vector["salt"]), bytes.fromhex(vector["plaintext"])
    assert encrypt(aead, encode_header(header), plaintext, vector["context"], salt) == blob


@pytest.mark.parametrize("vector", VECTORS["refuse"], ids=lambda vector: vector["name"])
def test_golden_refusals(vector):
    with pytest.raises(DecryptionFailed):
        decrypt(Aead(bytes.fromhex(vector["key"])), bytes.fromhex(vector["blob"]), vector["context"])


def _run(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=False, **options)


def test_the_script_makes_the_golden_file_again():
    assert _run(ROOT / "tools" / "make_vectors.py", "--check").returncode == 0


def test_the_published_decoder_agrees_on_the_golden_blobs():
    done = _run(ROOT / "docs" / "ciphertext" / "decode.py", "--vectors", GOLDEN)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"27 of 27 vectors hold\n"


def test_the_published_decoder_opens_a_blob_and_refuses_another_context():
    decoder = ROOT / "docs" / "ciphertext" / "decode.py"
    key = bytes(32).hex()
    done = _run(decoder, "--key", key, "--context", json.dumps(CONTEXT), "-", input=BLOB)
    assert (done.returncode, done.stdout) == (0, b"plaintext")
    done = _run(decoder, "--key", key, "-", input=BLOB)
    assert (done.returncode, done.stdout) == (1, b"")


def test_the_published_decoder_knows_nothing_of_keystead():
    text = (ROOT / "docs" / "ciphertext" / "decode.py").read_text(encoding="utf-8")
    assert "import keystead" not in text
    assert "from keystead" not in text


def test_the_documented_vector_is_a_golden_one():
    text = (ROOT / "docs" / "ciphertext" / "format.md").read_text(encoding="utf-8")
    vector = next(vector for vector in VECTORS["decrypt"] if vector["name"] == "data key with context")
    assert vector["blob"] in "".join(text.split())
    assert canonical_context(vector["context"]).hex() in text
    for field in ("key", "account", "key_id", "material_id", "salt", "plaintext"):
        assert vector[field] in text, field


def test_a_context_seen_before_has_the_same_form():
    first = [canonical_context({"n": str(number), "a": "b"}) for number in range(1500)]
    assert first == [canonical_context({"a": "b", "n": str(number)}) for number in range(1500)]
    assert len(set(first)) == 1500
    long = {"a": "b" * 600}
    assert canonical_context(long) == canonical_context(long) != canonical_context({"a": "b" * 599})
