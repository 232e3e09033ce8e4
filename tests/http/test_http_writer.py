"""Answers to bytes."""

from __future__ import annotations

import pytest

from keystead.clock import ManualClock
from keystead.http.writer import Writer
from keystead.wire.http import Response


def test_an_answer_on_the_wire() -> None:
    answer = Response(200, (("X-A", "b"), ("X-E", "\xe9")), b"body")
    assert Writer(ManualClock(0.0)).encode(answer, "Connection: close\r\n") == (
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-E: \xe9\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\nbody"
    )


def test_the_date_follows_the_clock() -> None:
    clock = ManualClock(0.0)
    writer = Writer(clock)
    writer.encode(Response(200, (), b""), "")
    clock.advance(61)
    assert b"Date: Thu, 01 Jan 1970 00:01:01 GMT\r\n" in writer.encode(Response(200, (), b""), "")


def test_an_unregistered_status_has_no_phrase() -> None:
    assert Writer(ManualClock(0.0)).encode(Response(599, (), b""), "").startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    "name", ["Content-Length", "content-length", "DATE", "Connection", "Transfer-Encoding"]
)
def test_headers_of_the_door_are_not_taken_from_an_answer(name: str) -> None:
    plain = Writer(ManualClock(0.0)).encode(Response(200, (), b"ab"), "")
    assert Writer(ManualClock(0.0)).encode(Response(200, ((name, "7"),), b"ab"), "") == plain


def test_head_tells_the_length_without_the_body() -> None:
    writer = Writer(ManualClock(0.0))
    assert writer.encode(Response(200, (), b"abc"), "", head=True).endswith(b"\r\nContent-Length: 3\r\n\r\n")
    told = Response(200, (("Content-Length", "900"),), b"")
    assert writer.encode(told, "", head=True).endswith(b"\r\nContent-Length: 900\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(status: int) -> None:
    data = Writer(ManualClock(0.0)).encode(Response(status, (), b"abc"), "")
    assert b"Content-Length" not in data
    assert data.endswith(b"GMT\r\n\r\n")


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nX-C: d"),
        ("X-A", "b\nX-C: d"),
        ("X-A", "b\r"),
        ("X-A\r\n", "b"),
        ("X-A", "b\0"),
        ("X-A", "\u0141"),
    ],
)
def test_a_header_cannot_begin_another(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"line break|latin-1"):
        Writer(ManualClock(0.0)).encode(Response(200, (header,), b""), "")


@pytest.mark.parametrize("header", [("X-B", "c\r\nX-C: d"), ("X-B", "c\0"), ("X-B\n", "c")])
def test_neither_can_one_that_follows_another(header: tuple[str, str]) -> None:
    writer = Writer(ManualClock(0.0))
    for _ in range(2):
        with pytest.raises(ValueError, match="line break"):
            writer.encode(Response(200, (("X-A", "b"), header), b""), "")


def test_answers_alike_but_for_one_value() -> None:
    writer = Writer(ManualClock(0.0))
    for value in ("1", "2", "\xa0"):
        answer = Response(200, (("X-Id", value), ("X-A", "b"), ("Date", "never")), value.encode("latin-1"))
        assert writer.encode(answer, "") == (
            f"HTTP/1.1 200 OK\r\nX-Id: {value}\r\nX-A: b\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
            f"Content-Length: 1\r\n\r\n{value}"
        ).encode("latin-1")


def test_an_interim_status_is_no_answer() -> None:
    with pytest.raises(ValueError, match="final"):
        Writer(ManualClock(0.0)).encode(Response(100, (), b""), "")
