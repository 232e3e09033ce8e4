"""One text for every way to write the same request."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keystead.wire.canonical import canonical_path, canonical_query, canonical_request, form_of
from keystead.wire.http import Request


@given(st.text(max_size=8), st.text(max_size=8))
@example("a+b", "c d")
def test_all_ways_to_write_a_field_are_one(name: str, value: str) -> None:
    name, value = (text.encode("utf-8", "replace").decode() for text in (name, value))
    every = (
        "".join(f"%{byte:02x}" for byte in name.encode())
        + "="
        + "".join(f"%{byte:02X}" for byte in value.encode())
    )
    assert canonical_query(every) == f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b&a", "a=&b="),
        ("a=2&a=1&A=3", "A=3&a=1&a=2"),
        ("a=b=c", "a=b%3Dc"),
        ("&&a=1&", "a=1"),
        ("a=1&X-Amz-Signature=x", "a=1"),
        ("a-b=1&a=2", "a=2&a-b=1"),
    ],
)
def test_queries(query: str, expected: str) -> None:
    assert canonical_query(query) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("/a/./b/../c/", "/a/c/"),
        ("//a", "/a"),
        ("/%20", "/%2520"),
        ("/..", "/"),
        ("/a/..", "/"),
        ("", "/"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert canonical_path(path) == expected


def canonical_headers(names: tuple[str, ...], headers: dict[str, str]) -> str:
    """The part of a canonical request that is about headers."""
    request = Request("POST", "/", headers, b"", "192.0.2.1", secure=True)
    whole = canonical_request(request, form_of(names), "hash", path_as_sent=False).decode("latin-1")
    return whole.removeprefix("POST\n/\n\n").removesuffix("hash")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a  b", "a b"),
        ("a \t b", "a b"),
        ("a b", "a b"),
        ("", ""),
        ("\xc3\xa0  \xc2\x85", "\xc3\xa0 \xc2\x85"),
    ],
)
def test_runs_of_white_space_are_one_space(value: str, expected: str) -> None:
    assert canonical_headers(("x",), {"x": value, "y": "z"}) == f"x:{expected}\n\nx\n"


def test_signed_headers_are_told_in_the_order_in_which_they_were_signed() -> None:
    headers = {"b%s": "1", "a": "2", "c" * 600: "3"}
    for _ in range(2):
        assert canonical_headers(("b%s", "a"), headers) == "b%s:1\na:2\n\nb%s;a\n"
        assert canonical_headers(("c" * 600,), headers) == f"{'c' * 600}:3\n\n{'c' * 600}\n"


def test_a_signed_header_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        canonical_headers(("x", "y"), {"x": "1"})
