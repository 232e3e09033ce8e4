"""HTTP messages as values: what a door hands in and what it sends out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

Buffer: TypeAlias = bytes | bytearray | memoryview


class Body(Protocol):
    """The body of a request that was handed over before it had arrived.

    Concurrency: `read` blocks, so it is called in a thread, by one thread at a time.

    Attributes:
        length: what Content-Length says; None for a chunked body.
        kept: what the first who reads it leaves to those who handle the same request again: a body comes once.
    """

    length: int | None
    kept: Any

    def read(self) -> Buffer:
        """The next piece, empty at the end; it is not changed while anything looks at it.

        Raises:
            errors.RequestTimeout: the rest did not come.
        """
        ...


Take = Callable[[Sequence[Buffer] | None], None]
"""What takes a piece of an answer, in parts, on the event loop's thread."""
Send = Callable[[Sequence[Buffer] | None], bool]
"""Whether all of a piece is sent and there are more to come; called in any thread, but not in two at a time."""


class Source(Protocol):
    """The body of an answer, made piece by piece while it is sent; both are called on the event loop's thread."""

    def pull(self, take: Take, send: Send) -> None:
        """None; pieces are made and go through `send`, one after the other, and the first that it refuses to `take`.

        Nothing more is sent before the next pull. A piece that cannot be made is None. Parts of a piece are not changed while
        anything looks at them.
        """
        ...

    def close(self) -> None:
        """None; nothing more will be pulled."""
        ...


class Request(msgspec.Struct, frozen=True, gc=False):
    """One complete HTTP request.

    Attributes:
        method: upper-case method.
        target: the request target as it came, not decoded, e.g. `/?a=b` (RFC 9112 section 3.2).
        headers: names in lower case, values without surrounding white space, in the order in
            which they came; the values of a repeated name are joined with `,`. Bytes are decoded
            as Latin-1, so that none is lost: a signature covers them as they came.
        body: the whole body, transfer coding removed.
        peer: the client's IP address as text.
        secure: whether the connection is TLS.
        certificate: the client certificate (DER) that the connection was opened with, once TLS has verified
            it; empty without one.
        tls: version and cipher suite of the connection (`TLSv1.3`, `TLS_AES_128_GCM_SHA256`), None without TLS.
        stream: the body, where the door handed the request over as soon as its headers were there.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str
    secure: bool
    certificate: bytes = b""
    tls: tuple[str, str] | None = None
    stream: Body | None = None

    def __repr__(self) -> str:
        """Nothing of headers and body: they hold credentials and plaintext."""
        return f"<Request {self.method} {self.path}>"

    @property
    def path(self) -> str:
        """The target up to its `?`, not decoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after its first `?`, not decoded; empty without one."""
        return self.target.partition("?")[2]


class Response(msgspec.Struct, frozen=True, gc=False):
    """One HTTP answer; the door adds Content-Length, Date and connection headers.

    With `source`, `length` bytes of body come from there, and `body` is empty.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source: Source | None = None
    length: int = 0

    def __repr__(self) -> str:
        """Nothing of the body: it holds plaintext."""
        return f"<Response {self.status}>"


Handler = Callable[[Request, Callable[[Response], None]], None]
"""What a door calls for each request: the second argument takes the one answer, now or later."""
