"""The same handler behind an ASGI server, for who must run one; that server then owns times and framing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from keystead.entropy import SystemEntropy, new_uuid
from keystead.http.limits import Limits
from keystead.http.refusal import LARGE_BODY, as_response
from keystead.wire.http import Handler, Request, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def asgi(handler: Handler, limits: Limits | None = None) -> Application:
    """An ASGI 3 application that answers with `handler`; only HTTP, no lifespan.

    Of the limits only `max_body` is kept here.
    """
    max_body = (limits or Limits()).max_body

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is served")
        body = await _body(receive, max_body)
        if len(body) > max_body:
            response = as_response(LARGE_BODY, new_uuid(SystemEntropy()))
        else:
            answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            handler(_request(scope, body), answer.set_result)
            response = await answer
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers
        ]
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    return application


async def _body(receive: Receive, max_body: int) -> bytes:
    """The request's body; one that is longer than `max_body` is not read to its end.

    Raises:
        ConnectionError: the client went away before its end.
    """
    body, more = b"", True
    while more and len(body) <= max_body:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError("the client went away")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _request(scope: Message, body: bytes) -> Request:
    """The request as a value (ASGI HTTP connection scope, version 2.3)."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    client = scope.get("client")
    return Request(
        scope["method"], target, headers, body, client[0] if client else "", scope.get("scheme") == "https"
    )
