"""Forms and their policies as values: in whichever pieces a form comes, and whatever a policy holds."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead import errors
from keystead.api.formdata import FormBody, boundary_of
from keystead.api.postpolicy import check

FAR = "2100-01-01T00:00:00Z"


class Pieces:
    def __init__(self, data: bytes, cuts: list[int]) -> None:
        ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
        self._left = [data[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True) if a < b]
        self.length, self.kept = None, None

    def read(self) -> bytes:
        return self._left.pop(0) if self._left else b""


def encoded(fields: dict[str, str], file: bytes) -> bytes:
    parts = [
        f'--B\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    head = '--B\r\nContent-Type: x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    return "".join([*parts, head]).encode() + file + b"\r\n--B--\r\n"


names = st.text("abcdefghij-", min_size=1, max_size=8).filter(lambda name: name != "file")
FILES = st.lists(
    st.sampled_from([b"\r\n", b"--", b"\r\n--", b"B", b"x", b"\r\n--A", b"\0"]), max_size=12
).map(b"".join)


@given(
    st.dictionaries(
        names, st.text(max_size=20).filter(lambda t: "\r\n--B" not in t and "\ud800" not in t), max_size=4
    ),
    FILES,
    st.lists(st.integers(0, 400), max_size=12),
)
def test_a_form_is_read_the_same_in_whichever_pieces_it_comes(
    fields: dict[str, str], file: bytes, cuts: list[int]
) -> None:
    if b"\r\n--B" in file:
        return
    form = FormBody(Pieces(encoded(fields, file), cuts), b"B")
    form.begin()
    assert (form.fields, form.filename) == (fields, "f")
    assert b"".join(iter(form.read, b"")) == file


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_whatever_comes_is_a_form_or_an_error_of_s3(data: bytes, cuts: list[int]) -> None:
    form = FormBody(Pieces(b"--B\r\n" + data, cuts), b"B")
    try:
        form.begin()
        while form.read():
            pass
    except errors.S3Error:
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/form-data", None),
        ("multipart/mixed; boundary=abc", None),
        ("application/xml", None),
        (f"multipart/form-data; boundary={'a' * 71}", b"a" * 70),
    ],
)
def test_a_boundary_is_read_of_the_type(text: str, expected: bytes | None) -> None:
    assert boundary_of(text) == expected


def policy(conditions: Any, expiration: Any = FAR) -> str:
    return base64.b64encode(
        json.dumps({"expiration": expiration, "conditions": conditions}).encode()
    ).decode()


@pytest.mark.parametrize(
    ("conditions", "fields", "holds"),
    [
        ([{"bucket": "b"}], {}, True),
        ([{"bucket": "c"}], {}, False),
        ([["eq", "$Key", "k"]], {"key": "k"}, True),
        ([["eq", "$key", "k"]], {"key": "kk"}, False),
        ([["starts-with", "$key", "k"]], {"key": "kk"}, True),
        ([["starts-with", "$key", "k"]], {"key": "a"}, False),
        ([["starts-with", "$key", ""]], {"key": "a"}, True),
        ([["starts-with", "$other", "x"]], {}, False),
        ([], {"key": "a"}, False),
        ([], {"x-ignore-a": "a", "policy": "p", "x-amz-signature": "s"}, True),
    ],
)
def test_each_field_is_what_a_condition_says(conditions: Any, fields: dict[str, str], holds: bool) -> None:
    if holds:
        check(policy(conditions), fields, "b", 0.0)
    else:
        with pytest.raises(errors.S3AccessDenied):
            check(policy(conditions), fields, "b", 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "!",
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"{").decode(),
        policy([], None),
        policy([], "tomorrow"),
        policy([], "2100-01-01T00:00:00"),
        policy(None),
        policy([["eq", "key", "k"]]),
        policy([["like", "$key", "k"]]),
        policy([["content-length-range", -1, 2]]),
        policy([["content-length-range", True, 2]]),
        policy([{}]),
        policy([{"a": 1}]),
        policy(["eq"]),
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidPostPolicy):
        check(text, {}, "b", 0.0)


def test_a_range_is_what_the_file_is_held_to() -> None:
    assert check(policy([["content-length-range", 1, "20"]]), {}, "b", 0.0) == (1, 20)
