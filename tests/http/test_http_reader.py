"""Bytes to requests: what is accepted, what is refused, however the bytes are cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.http.head import RefusedError, join_fields
from keystead.http.limits import SLICE, Limits
from keystead.http.reader import CLOSE, KEEP, KEEP_1_0, Reader
from keystead.http.refusal import Refusal
from keystead.http.writer import CONTINUE
from keystead.wire.http import Request

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = HEAD + b"Content-Length: 2\r\n\r\nab"


def read(*pieces: bytes, limits: Limits | None = None) -> list[tuple[Request, str] | Refusal]:
    reader = Reader(limits or Limits(), "192.0.2.1", secure=False)
    found = []
    for piece in pieces:
        likeness = reader.likeness
        request = None if likeness is None else likeness.read(piece)
        if request is not None:
            found.append((request, likeness.closing_line))
            continue
        rest = piece
        while rest:
            rest = reader.feed(rest)
            found += reader.ready
            reader.ready.clear()
            if reader.finished:
                break
    return found


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def only(found: list) -> Request:
    ((request, _),) = found
    return request


REFUSED = {
    "repeated content-length": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "repeated equal content-length": (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400),
    "listed content-length": (HEAD + b"Content-Length: 2, 2\r\n\r\nab", 400),
    "signed content-length": (HEAD + b"Content-Length: +2\r\n\r\nab", 400),
    "negative content-length": (HEAD + b"Content-Length: -2\r\n\r\nab", 400),
    "hexadecimal content-length": (HEAD + b"Content-Length: 0x2\r\n\r\nab", 400),
    "underscored content-length": (HEAD + b"Content-Length: 1_0\r\n\r\nab", 400),
    "superscript content-length": (HEAD + b"Content-Length: \xb2\r\n\r\nab", 400),
    "empty content-length": (HEAD + b"Content-Length: \r\n\r\n", 400),
    "endless content-length": (HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    "zeros without end": (HEAD + b"Content-Length: " + b"0" * 5000 + b"1\r\n\r\na", 400),
    "length, then coding": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "coding, then length": (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
    "coding gzip": (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "coding gzip, chunked": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "coding chunked, identity": (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "coding identity": (HEAD + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "coding xchunked": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "coding with a vertical tab": (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "coding twice": (
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "coding with a space before the colon": (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "coding in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "coding in HTTP/1.0 kept alive": (
        b"POST / HTTP/1.0\r\nProxy-Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunk size with a space": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with a sign": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size with 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size overflow": (CHUNKED + b"ffffffffffffffffff\r\nabc", 400),
    "chunk longer than its size": (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", 400),
    "chunk ended by LF": (CHUNKED + b"3\nabc\n0\n\n", 400),
    "space before a colon": (HEAD + b"A : b\r\n\r\n", 400),
    "folded line": (HEAD + b"A: b\r\n c\r\n\r\n", 400),
    "folded first line": (b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    "line ended by LF": (HEAD + b"A: b\n\r\n", 400),
    "all lines ended by LF": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "CR inside a value": (HEAD + b"A: b\rC: d\r\n\r\n", 400),
    "NUL inside a value": (HEAD + b"A: b\0c\r\n\r\n", 400),
    "control inside a value": (HEAD + b"A: b\x01c\r\n\r\n", 400),
    "NUL inside a name": (HEAD + b"A\0: b\r\n\r\n", 400),
    "name beyond ASCII": (HEAD + b"A\xe9: b\r\n\r\n", 400),
    "no name": (HEAD + b": b\r\n\r\n", 400),
    "no colon": (HEAD + b"abc\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "two joined hosts": (b"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400),
    "host with a path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "host with a user": (b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400),
    "two authorizations": (HEAD + b"Authorization: a\r\nauthorization: b\r\n\r\n", 400),
    "two dates": (HEAD + b"X-Amz-Date: a\r\nX-AMZ-DATE: a\r\n\r\n", 400),
    "two operations": (HEAD + b"X-Amz-Target: A.B\r\nX-Amz-Target: A.C\r\n\r\n", 400),
    "two tokens": (HEAD + b"X-Amz-Security-Token: A\r\nX-Amz-Security-Token: B\r\n\r\n", 400),
    "unknown method": (b"STEAL / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "method of another world": (b"M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "trace": (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "connect": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "upgrade": (HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", 400),
    "upgrade with a body": (HEAD + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nab", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    "HTTP/0.9": (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "another host's target": (b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a user": (b"GET http://x@y/ HTTP/1.1\r\nHost: y\r\n\r\n", 400),
    "target of another scheme": (b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "asterisk target": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a fragment": (b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "absolute target with a fragment": (b"GET http://x/a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a space": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a tab": (b"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target with a control": (b"GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target beyond ASCII": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "unknown expectation": (HEAD + b"Expect: tea\r\n\r\n", 417),
    "long target": (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "large body told": (HEAD + b"Content-Length: 1048577\r\n\r\n", 413),
    "large headers": (HEAD + b"A: " + b"b" * 33_000 + b"\r\n\r\n", 431),
    "many headers": (HEAD + b"".join(b"A%d: b\r\n" % i for i in range(100)) + b"\r\n", 431),
    "many repeated headers": (HEAD + b"A: b\r\n" * 100 + b"\r\n", 431),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
def test_refused_whole_and_bytewise(data: bytes, status: int) -> None:
    for pieces in ([data], bytewise(data), [data + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]):
        (refusal,) = read(*pieces)
        assert isinstance(refusal, Refusal)
        assert refusal.status == status
    first, second, refusal = read(GOOD, GOOD, data)
    assert first == second
    assert refusal.status == status


def test_a_refusal_comes_after_the_good_requests_before_it() -> None:
    found = read(HEAD + b"\r\n" + HEAD + b"A : b\r\n\r\n" + HEAD + b"\r\n")
    assert [type(item) for item in found] == [tuple, Refusal]


ACCEPTED = {
    "origin form": (b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a?b=c", b"", KEEP),
    "absolute form": (b"GET HTTP://X:80/a?b HTTP/1.1\r\nHost: x:80\r\n\r\n", "GET", "/a?b", b"", KEEP),
    "absolute form, no path": (b"GET http://x?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/?b", b"", KEEP),
    "empty lines before": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/", b"", KEEP),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/", b"", KEEP),
    "IPv6 host": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET", "/", b"", KEEP),
    "close": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET", "/", b"", CLOSE),
    "1.0": (b"GET / HTTP/1.0\r\n\r\n", "GET", "/", b"", CLOSE),
    "1.0 kept": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", b"", KEEP_1_0),
    "1.0 expects": (b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "GET", "/", b"", CLOSE),
    "length": (HEAD + b"Content-Length: 3\r\n\r\nabc", "POST", "/", b"abc", KEEP),
    "length with spaces": (HEAD + b"Content-Length:  3 \t\r\n\r\nabc", "POST", "/", b"abc", KEEP),
    "chunks": (
        CHUNKED + b'3;e="1"\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
        "POST",
        "/",
        b"abc0123456789",
        KEEP,
    ),
    "Chunked": (HEAD + b"transfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "POST", "/", b"a", KEEP),
    "upgrade not asked for": (HEAD + b"Upgrade: h2c\r\n\r\n", "POST", "/", b"", KEEP),
    "head": (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD", "/", b"", KEEP),
}


@pytest.mark.parametrize(
    ("data", "method", "target", "body", "connection"), ACCEPTED.values(), ids=list(ACCEPTED)
)
def test_accepted_whole_and_bytewise(
    data: bytes, method: str, target: str, body: bytes, connection: str
) -> None:
    for pieces in ([data], bytewise(data)):
        ((request, line),) = read(*pieces)
        assert (request.method, request.target, request.body, line) == (method, target, body, connection)
        assert (request.peer, request.secure) == ("192.0.2.1", False)
    assert read(GOOD, data)[1:] == read(data)


def test_headers_are_lower_case_in_order_joined_and_trimmed() -> None:
    data = (
        HEAD + b"X-B: 1 \t\r\nX-A:\t2\r\nx-b: 3\r\nX-E:\r\nX-L: \xe9\xa0\r\nX-Amz-Content-SHA256: s\r\n\r\n"
    )
    headers = only(read(data)).headers
    assert list(headers.items()) == [
        ("host", "x"),
        ("x-b", "1,3"),
        ("x-a", "2"),
        ("x-e", ""),
        ("x-l", "\xe9\xa0"),
        ("x-amz-content-sha256", "s"),
    ]


def test_trailers_are_dropped() -> None:
    trailers = b"Authorization: forged\r\nHost: y\r\nX-Amz-Target: forged\r\n"
    first, second = read(CHUNKED + b"1\r\na\r\n0\r\n" + trailers + b"\r\n" + HEAD + b"\r\n")
    assert first[0].headers == {"host": "x", "transfer-encoding": "chunked"}
    assert second[0].headers == {"host": "x"}


def test_nothing_after_a_last_request_is_read() -> None:
    ((request, line),) = read(HEAD + b"Connection: close\r\n\r\n" + HEAD + b"\r\n")
    assert line == CLOSE
    assert request.body == b""


@pytest.mark.parametrize("name", ["length", "chunks", "bytes"])
def test_body_limit_is_exact(name: str) -> None:
    limits = Limits(max_body=100)
    build = {
        "length": lambda body: [HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body],
        "chunks": lambda body: [
            CHUNKED + b"1\r\na\r\n%x\r\n" % (len(body) - 1) + body[1:] + b"\r\n0\r\n\r\n"
        ],
        "bytes": lambda body: [CHUNKED, *(b"1\r\n%c\r\n" % byte for byte in body), b"0\r\n\r\n"],
    }[name]
    assert only(read(*build(b"a" * 100), limits=limits)).body == b"a" * 100
    (refusal,) = read(*build(b"a" * 101), limits=limits)
    assert refusal.status == 413
    assert refusal.code == "RequestEntityTooLargeException"


@pytest.mark.parametrize("filler", [b"1;" + b"e" * 1000 + b"\r\na\r\n", b"0\r\n" + b"a:\r\n" * 300_000])
def test_framing_around_a_body_is_bounded(filler: bytes) -> None:
    (refusal,) = read(CHUNKED, *([filler] * 300), limits=Limits(max_body=65536))
    assert refusal.status == 413


@pytest.mark.parametrize("whole", [True, False])
def test_header_limit_is_exact(whole: bool) -> None:
    limits = Limits(max_header_bytes=20_000)
    room = 20_000 - len(b"/") - len(b"Host: x\r\n") - len(b"A: \r\n")
    for excess, refused in ((0, False), (1, True)):
        data = HEAD + b"A: " + b"b" * (room + excess) + b"\r\n\r\n"
        (found,) = read(*([data] if whole else bytewise(data)), limits=limits)
        assert isinstance(found, Refusal) is refused


def test_small_header_limit_holds_within_one_slice() -> None:
    (refusal,) = read(HEAD + b"A: " + b"b" * 200 + b"\r\n\r\n", limits=Limits(max_header_bytes=100))
    assert refusal.status == 431


def test_headers_without_end_are_refused_before_they_end() -> None:
    (refusal,) = read(HEAD, *([b"a" * 1000] * 50))
    assert refusal.status == 431


def test_empty_lines_without_end_are_refused() -> None:
    (refusal,) = read(*([b"\r\n" * 500] * 50))
    assert refusal.status == 431


def test_headers_that_follow_a_full_slice_of_requests_may_be_as_long_as_others() -> None:
    small = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 300
    long = HEAD + b"A: " + b"b" * 32_000 + b"\r\n\r\n"
    found = read(small + long)
    assert len(found) == 301
    assert not isinstance(found[-1], Refusal)


def test_no_more_than_a_slice_is_parsed_ahead() -> None:
    reader = Reader(Limits(), "", secure=False)
    data = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000
    rest = reader.feed(data)
    assert 0 < len(reader.ready) <= SLICE // 27 + 1
    assert len(rest) == len(data) - SLICE


def test_continue_is_due_until_the_body_comes() -> None:
    reader = Reader(Limits(), "", secure=False)
    reader.feed(HEAD + b"Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.continue_due
    reader.feed(b"a")
    assert not reader.continue_due
    assert only(list(reader.ready)).body == b"a"


@pytest.mark.parametrize(
    ("version", "length", "told"), [(b"1.1", b"0", [CONTINUE]), (b"1.0", b"0", []), (b"1.1", None, [])]
)
def test_continue_is_told_at_once_where_the_body_is_empty_and_not_where_there_is_none(
    version: bytes, length: bytes | None, told: list[bytes]
) -> None:
    reader = Reader(Limits(), "", secure=False)
    head = b"POST / HTTP/%s\r\nHost: x\r\nExpect: 100-continue\r\n" % version
    reader.feed(head + (b"" if length is None else b"Content-Length: %s\r\n" % length) + b"\r\n")
    assert not reader.continue_due
    assert [entry for entry in reader.ready if not isinstance(entry, tuple)] == told
    assert only(list(reader.ready)[len(told) :]).body == b""
    assert reader.likeness is None or not told


TOKENS = st.text("abcdefXYZ-_09", min_size=1, max_size=12).map(lambda name: "q" + name)
VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, blacklist_characters="\x7f"), max_size=20
)
REQUESTS = st.tuples(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.text("abc/?=&%20.~", max_size=20),
    st.dictionaries(TOKENS, VALUES, max_size=5),
    st.binary(max_size=200),
    st.booleans(),
)


def on_the_wire(method: str, path: str, headers: dict[str, str], body: bytes, chunked: bool) -> bytes:
    lines = [
        f"{method} /{path} HTTP/1.1",
        "Host: h",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if chunked:
        half = len(body) // 2
        framing = "Transfer-Encoding: chunked"
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
        body += b"0\r\n\r\n"
    else:
        framing = f"Content-Length: {len(body)}"
    return "\r\n".join([*lines, framing, "", ""]).encode("latin-1") + body


@settings(max_examples=60, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=4), st.lists(st.integers(1, 400), max_size=20))
def test_requests_are_the_same_however_they_are_cut(requests: list, cuts: list[int]) -> None:
    data = b"".join(on_the_wire(*request) for request in requests)
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(data[start : start + cut])
        start += cut
    found = read(*pieces, data[start:])
    assert found == read(data)
    assert [(r.method, r.target, r.body) for r, _ in found] == [
        (method, "/" + path, body) for method, path, _, body, _ in requests
    ]
    for (request, _), (_, _, headers, _, _) in zip(found, requests, strict=True):
        folded: dict[str, str] = {}
        for name, value in headers.items():
            key = name.lower()
            folded[key] = f"{folded[key]},{value}" if key in folded else value
        assert request.headers.items() >= folded.items()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([HEAD, CHUNKED, b"\r\n", b"0\r\n\r\n"]))))
def test_any_bytes_end_in_requests_and_at_most_one_refusal(pieces: list[bytes]) -> None:
    found = read(*pieces)
    assert not any(isinstance(item, Refusal) for item in found[:-1])


LINES = (
    b"Host: x", b"host: x", b"Host: y", b"Content-Length: 2", b"content-length: 2", b"Content-Length: 02",
    b"Content-Length: 3", b"A: 1", b"A: \xe9 2", b"A:3", b"A: 4 ", b"A: ", b"a: 5", b"B: 1", b"Connection: keep-alive",
    b"Connection: close", b"Proxy-Connection: close", b"Connection: upgrade", b"Upgrade: h2c", b"Expect: 100-continue",
    b"Expect: tea", b"Transfer-Encoding: chunked",
)  # fmt: skip
ALIKE = (b"Host: x", b"A: 1", b"Content-Length: 2")
STARTS = (
    b"POST / HTTP/1.1",
    b"POST / HTTP/1.0",
    b"POST /a HTTP/1.1",
    b"PUT / HTTP/1.1",
    b"\r\nPOST / HTTP/1.1",
)
BODIES = (b"ab", b"cd", b"", b"a", b"abPO", b"ab\r\n", b"\r\n", b"0\r\n\r\n", b"ab" + GOOD)


def one(lines: tuple[bytes, ...], start: bytes = STARTS[0], body: bytes = b"ab") -> bytes:
    return b"\r\n".join([start, *lines, b"", b""]) + body


def changed_once(lines: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """`lines`, one of them left out, moved, replaced, or one added."""
    yield lines
    yield from itertools.permutations(lines)
    for at in range(len(lines)):
        yield lines[:at] + lines[at + 1 :]
        for line in LINES:
            yield (*lines[:at], line, *lines[at + 1 :])
            yield (*lines[:at], line, *lines[at:])


@pytest.mark.parametrize("more", [(), *((line,) for line in LINES)], ids=str)
def test_requests_apart_are_those_of_one_stream(more: tuple[bytes, ...]) -> None:
    """Whether what comes is like what came before changes nothing of what is read."""
    before = (*ALIKE, *more)
    others = [one(lines) for lines in changed_once(before)]
    others += [one(before, start, body) for start in STARTS for body in BODIES]
    for other in others:
        pieces = [one(before), one(before, body=b"cd"), other, one(before)]
        assert read(*pieces) == read(*bytewise(b"".join(pieces)))


def framed(length: int, start: bytes = STARTS[0]) -> bytes:
    return one((*ALIKE[:2], b"Content-Length: %d" % length), start, b"")


def counting_itself(start: bytes, body: bytes) -> bytes:
    """A request whose Content-Length is that of its own head and `body`, which is all that is there of it."""
    length = next(n for n in range(1000) if n == len(framed(n, start)) + len(body))
    return framed(length, start) + body


@pytest.mark.parametrize("start", [STARTS[0], STARTS[2]])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("first", [framed(0), framed(2) + b"ab", framed(1) + b"a"], ids=["empty", "ab", "a"])
def test_no_head_counts_as_the_body_of_the_one_before(first: bytes, body: bytes, start: bytes) -> None:
    """Else a proxy that passes two requests on would see two, and the server one, whose rest is a request of its own."""
    reader = Reader(Limits(), "", secure=False)
    reader.feed(one(ALIKE))
    assert reader.likeness.read(first + counting_itself(start, body)) is None
    pieces = [one(ALIKE), first + counting_itself(start, body), GOOD]
    assert read(*pieces) == read(*bytewise(b"".join(pieces)))


@pytest.mark.parametrize("byte", range(256))
@pytest.mark.parametrize(
    "around", [b"%s", b"a%s", b"%sa", b"a%sa", b" %s", b"%s ", b"\r%s", b"%s\n"], ids=str
)
def test_each_byte_in_a_value_means_the_same_in_a_request_that_is_alike(around: bytes, byte: int) -> None:
    pieces = [one(ALIKE), one((ALIKE[0], b"A: " + around % bytes((byte,)), ALIKE[2])), one(ALIKE)]
    assert read(*pieces) == read(*bytewise(b"".join(pieces)))


LENGTHS = st.sampled_from([0, 1, 2, 3, 61, 62, 63, 64, 65, 66, 67, 68, 126])
PARTS = st.one_of(
    st.builds(framed, LENGTHS, st.sampled_from(STARTS[:3])),
    st.builds(counting_itself, st.sampled_from(STARTS[:3]), st.sampled_from(BODIES)),
    st.sampled_from([*BODIES, b"\r\n", b"Host: x\r\n", b"A: 2\r\n\r\n"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=5))
def test_what_comes_in_one_piece_is_alike_only_if_it_is_one_request(parts: list[bytes]) -> None:
    data, reader = b"".join(parts), Reader(Limits(), "", secure=False)
    reader.feed(one(ALIKE))
    alike = reader.likeness.read(data)
    judged = Reader(Limits(), "", secure=False)
    judged.feed(data)
    if alike is not None:
        assert [request for request, _ in judged.ready] == [alike]
        assert not judged.begun


@pytest.mark.parametrize("limits", [Limits(max_body=80), Limits(max_header_bytes=60), Limits(max_body=3)])
def test_limits_hold_for_what_is_alike(limits: Limits) -> None:
    reader_ends = set()
    for length in range(100):
        body, value = bytes(length), b"A: %s" % (b"a" * length)
        for lines, sent in ((ALIKE, body), ((ALIKE[0], value, ALIKE[2]), b"ab")):
            framed = (*lines[:2], b"Content-Length: %d" % len(sent))
            pieces = [one(ALIKE), one(ALIKE), one(framed, body=sent)]
            found = read(*pieces, limits=limits)
            assert found == read(*bytewise(b"".join(pieces)), limits=limits)
            reader_ends.add(type(found[-1]))
    assert reader_ends == {tuple, Refusal}


def test_a_request_like_the_one_before_needs_no_feeding() -> None:
    reader = Reader(Limits(), "192.0.2.1", secure=False)
    assert reader.likeness is None
    reader.feed(GOOD)
    for body in (b"ab", b"\r\n\r\n", b""):
        request = reader.likeness.read(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert request.body == body
        assert request.headers == {"host": "x", "content-length": str(len(body))}
    assert reader.likeness.read(GOOD + b"P") is None


def test_what_a_client_sent_is_not_kept_while_it_is_silent() -> None:
    reader, sent = Reader(Limits(), "", secure=False), one((*ALIKE, b"Authorization: s3cret"), body=b"pl")
    for _ in range(2):
        reader.feed(sent)
        reader.ready.clear()
        assert reader.likeness.read(sent)
        kept = repr([getattr(reader.likeness, name) for name in reader.likeness.__slots__])
        assert "Authorization" in kept
        assert "s3cret" not in kept
        assert "pl" not in kept


def test_a_connection_whose_requests_keep_changing_is_read_by_one_reader() -> None:
    reader = Reader(Limits(), "", secure=False)
    for _ in range(100):
        reader.feed(GOOD)
        reader.ready.clear()
    assert reader.likeness is None
    reader.feed(GOOD)
    assert len(reader.ready) == 1


@pytest.mark.parametrize(
    "begun", [b"P", b"\r", GOOD[:20], GOOD[:-1], GOOD + b"P", GOOD + b"\r\n", GOOD + GOOD]
)
def test_nothing_is_alike_in_the_middle(begun: bytes) -> None:
    reader = Reader(Limits(), "", secure=False)
    reader.feed(GOOD)
    reader.ready.clear()
    reader.feed(begun)
    assert reader.likeness is None


def test_values_keep_to_their_names() -> None:
    fields = [(b"Host", b"h"), (b"X-Own", b"a b \t"), (b"x-empty", b""), (b"x-wide", b"\xe9")]
    assert join_fields(fields) == {"host": "h", "x-own": "a b", "x-empty": "", "x-wide": "\xe9"}
    assert join_fields([(b"X-A", b"1 "), (b"x-a", b"2")]) == {"x-a": "1,2"}
    assert join_fields([]) == {}


def test_no_value_holds_the_line_of_another() -> None:
    """The parser lets no line break pass; with one, all that follows would be somebody else's value."""
    with pytest.raises(RefusedError):
        join_fields([(b"x-a", b"1\n2"), (b"x-b", b"3")])
