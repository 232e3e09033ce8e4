"""The ASGI adapter, called as an ASGI server would."""

from __future__ import annotations

import asyncio

import pytest

from keystead.http import Limits, asgi
from keystead.wire.http import Request, Response

SCOPE = {
    "type": "http",
    "method": "POST",
    "scheme": "https",
    "path": "/a b",
    "raw_path": b"/a%20b",
    "query_string": b"c=d",
    "headers": [(b"host", b"x"), (b"x-a", b"1"), (b"x-a", b"\xe9")],
    "client": ("192.0.2.1", 5),
}


def call(handler, scope: dict, *messages: dict, limits: Limits | None = None) -> list[dict]:
    incoming, sent = list(messages), []

    async def receive() -> dict:
        return incoming.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(asgi(handler, limits)(scope, receive, send))
    return sent


def part(body: bytes, more: bool = False) -> dict:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_request_and_a_later_answer() -> None:
    seen = []

    def handle(request: Request, done) -> None:
        seen.append(request)
        asyncio.get_running_loop().call_soon(done, Response(201, (("X-B", "\xe9"),), b"answer"))

    start, body = call(handle, SCOPE, part(b"ab", more=True), part(b"c"))
    headers = {"host": "x", "x-a": "1,\xe9"}
    assert seen == [Request("POST", "/a%20b?c=d", headers, b"abc", "192.0.2.1", True)]
    assert start == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"x-b", b"\xe9"), (b"content-length", b"6")],
    }
    assert body == {"type": "http.response.body", "body": b"answer"}


def test_without_raw_path_query_or_client() -> None:
    scope = SCOPE | {"raw_path": None, "path": "/a", "query_string": b"", "client": None, "scheme": "http"}
    seen = []

    def handle(request: Request, done) -> None:
        seen.append(request)
        done(Response(200, (), b""))

    call(handle, scope, part(b""))
    assert (seen[0].target, seen[0].peer, seen[0].secure) == ("/a", "", False)


def test_a_large_body_is_refused_before_its_end() -> None:
    start, body = call(None, SCOPE, part(b"ab", more=True), part(b"cd", more=True), limits=Limits(max_body=3))
    assert start["status"] == 413
    assert b"RequestEntityTooLargeException" in body["body"]


def test_a_lost_client_and_another_protocol_raise() -> None:
    with pytest.raises(ConnectionError):
        call(None, SCOPE, part(b"ab", more=True), {"type": "http.disconnect"})
    with pytest.raises(ValueError, match="only HTTP"):
        call(None, {"type": "lifespan"})
