"""The fuzz targets hold over a small corpus; `make fuzz` looks further."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.wire.models import kms

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FUZZ / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SIGV4, JSON = load("fuzz_sigv4"), load("fuzz_json")
ENCRYPT = bytes([sorted(kms.OPERATIONS).index("Encrypt")])
HEADER = (
    b"/\nhost: h\nx-amz-date: 20150830T123600Z\n"
    b"authorization: AWS4-HMAC-SHA256 Credential=A/20150830/r/kms/aws4_request, SignedHeaders=host;x-amz-date, "
    b"Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\n{}"
)
PRESIGNED = (
    b"/a%2F/../?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20150830%2Fr%2Fsts%2Faws4_request"
    b"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=x\nhost: h\n\n"
)


@pytest.mark.parametrize("data", [b"", HEADER, PRESIGNED, HEADER.replace(b"host;", b""), b"\xff\n\xff:\xff"])
def test_sigv4_corpus(data: bytes) -> None:
    SIGV4.one_input(data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"KeyId":"","Plaintext":"YQ=="}',
        b'{"KeyId":1}',
        b'{"GrantTokens":[""]}',
        b'{"Z":' + b"[" * 9999,
    ],
)
def test_json_corpus(body: bytes) -> None:
    JSON.one_input(ENCRYPT + body)
    JSON.one_input(body)


@settings(max_examples=60)
@given(st.data())
def test_damaged_seeds(data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([HEADER, PRESIGNED]))
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 8)))
    SIGV4.one_input(seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:])
    JSON.one_input(ENCRYPT + data.draw(st.binary(max_size=30)))
