"""The fuzz target's own promises, over what hypothesis draws and over what is well formed."""

import importlib.util
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from keystead.tlog.tile import encode_bundle

spec = importlib.util.spec_from_file_location(
    "fuzz_log", Path(__file__).resolve().parents[2] / "fuzz" / "fuzz_log.py"
)
FUZZ = importlib.util.module_from_spec(spec)
spec.loader.exec_module(FUZZ)

TEXTS = [
    "tile/0/x001/234.p/5",
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "origin\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— a AAAAAAAA\n",
    '{"eventID":"0e8c2b2c-7b7e-4a8a-9c1d-3d1d1a6f2b10","userAgent":"x"}',
]
INPUTS = [text.encode() for text in TEXTS] + [b"\x01" + encode_bundle([b"one", b"two"])]


@given(st.binary(max_size=200) | st.sampled_from(INPUTS))
def test_any_input_keeps_the_promises(data):
    FUZZ.one_input(data)


@given(st.sampled_from(INPUTS), st.integers(0, 80), st.binary(min_size=1, max_size=3))
def test_what_is_nearly_well_formed_keeps_them_too(data, at, change):
    FUZZ.one_input(data[:at] + change + data[at + len(change) :])


def test_each_reader_reads_what_is_well_formed():
    for read, data in zip(
        (FUZZ.path, FUZZ.vkey, FUZZ.checkpoint, FUZZ.leaf, FUZZ.bundle), INPUTS, strict=True
    ):
        read(data)
