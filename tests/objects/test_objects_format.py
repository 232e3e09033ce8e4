"""The published format: golden streams open for ever, and another decoder agrees on all of them."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from keystead.crypto import Secret, frames
from keystead.entropy import SystemEntropy
from keystead.errors import BlobError, DecryptionFailed
from keystead.objects import ObjectKey, Place, seal, sealed_size, unseal

ROOT = Path(__file__).parent.parent.parent
DECODER = ROOT / "docs" / "objects" / "decode.py"
GOLDEN = Path(__file__).parent / "golden" / "object-v1.json"
VECTORS = json.loads(GOLDEN.read_text(encoding="ascii"))
KEY = Secret(b"k" * 32)


def named(vectors):
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["name"])


def opened(vector, size, bits):
    stream = base64.b64decode(vector["stream"])
    key = ObjectKey(*(Secret(bytes.fromhex(key)) for key in vector["keys"]))
    read = lambda start, length: iter([stream[start : start + length]])  # noqa: E731  two lines more say no more
    return b"".join(unseal(key, Place(**vector["place"]), size, read, frame_bits=bits))


def frame_bits(vector):
    return base64.b64decode(vector["stream"])[5]


@named(VECTORS["open"])
def test_golden_streams_open(vector):
    content = opened(vector, vector["size"], frame_bits(vector))
    assert hashlib.sha256(content).hexdigest() == vector["sha256"]
    stream = base64.b64decode(vector["stream"])
    assert len(stream) == sealed_size(vector["size"], len(vector["keys"]), frame_bits(vector))


APPENDED = {"last frame repeated", "extended by a byte"}
"""Who knows the size reads up to it: what follows is never looked at. The scrubber tells of such blobs."""


@named([vector for vector in VECTORS["refuse"] if vector["name"] not in APPENDED])
def test_golden_refusals_are_refused(vector):
    (base,) = (good for good in VECTORS["open"] if good["name"] == "three frames and a half")
    with pytest.raises(BlobError):
        opened(vector, base["size"], 8)


def run(*arguments, stdin=None):
    return subprocess.run(
        [sys.executable, "-I", str(DECODER), *arguments], input=stdin, capture_output=True, check=False
    )


def test_the_second_decoder_agrees_on_all_vectors():
    result = run("--vectors", str(GOLDEN))
    total = len(VECTORS["open"]) + len(VECTORS["refuse"])
    assert (result.returncode, result.stdout.decode()) == (0, f"{total} of {total} vectors hold\n")


def test_the_second_decoder_sees_a_vector_that_does_not_hold(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"open": VECTORS["refuse"], "refuse": VECTORS["open"]}))
    result = run("--vectors", str(wrong))
    assert result.returncode == 1
    assert result.stdout.startswith(b"0 of ")


@pytest.mark.parametrize("keys", [(b"a" * 32,), (b"a" * 32, b"b" * 32)], ids=["one layer", "two layers"])
def test_the_second_decoder_reads_what_is_sealed_now(keys):
    content = SystemEntropy().random(700_000)
    place = Place("bucket", "ordner/schlüssel", "v1", 3)
    stream = b"".join(seal(ObjectKey(*map(Secret, keys)), place, [content], SystemEntropy()))
    options = [option for key in keys for option in ("--key", key.hex())]
    options += ["--bucket", "bucket", "--object", "ordner/schlüssel", "--version", "v1", "--part", "3"]
    assert run(*options, "-", stdin=stream).stdout == content
    assert run(*options[:-1], "4", "-", stdin=stream).returncode == 1


def test_the_example_in_the_documentation_is_a_vector():
    text = "".join((ROOT / "docs" / "objects" / "format.md").read_text().split())
    (vector,) = (vector for vector in VECTORS["open"] if vector["name"] == "one byte, default frames")
    assert base64.b64decode(vector["stream"]).hex() in text
    assert vector["keys"][0] in text


# ------------------------------------------------------------------------------- frames of their own


@pytest.mark.parametrize("bits", [frames.LEAST_BITS - 1, frames.MOST_BITS + 1, -1, 256])
def test_frames_of_sizes_that_no_reader_takes_are_not_made(bits):
    with pytest.raises(ValueError, match="frame has"):
        frames.begin(KEY, b"place", bytes(32), frame_bits=bits)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_salts_of_another_length_are_not_taken(length):
    with pytest.raises(ValueError, match="salt"):
        frames.begin(KEY, b"place", bytes(length))


@pytest.mark.parametrize("length", [0, 8, 71, 73])
def test_headers_of_another_length_are_refused(length):
    header, _ = frames.begin(KEY, b"place", bytes(32))
    with pytest.raises(DecryptionFailed):
        frames.resume(KEY, b"place", (header + b"\0")[:length])


def test_the_last_frame_is_not_taken_for_another_and_no_other_for_the_last():
    header, sealer = frames.begin(KEY, b"place", bytes(32))
    opener = frames.resume(KEY, b"place", header)
    for last in (True, False):
        frame = sealer.seal(3, b"x", last=last)
        assert opener.open(3, frame, last=last) == b"x"
        with pytest.raises(DecryptionFailed):
            opener.open(3, frame, last=not last)
