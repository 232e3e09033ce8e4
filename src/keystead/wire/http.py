"""HTTP messages as values: what a door hands in and what it sends out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


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
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str
    secure: bool
    certificate: bytes = b""
    tls: tuple[str, str] | None = None

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
    """One complete HTTP answer; the door adds Content-Length, Date and connection headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        """Nothing of the body: it holds plaintext."""
        return f"<Response {self.status}>"


Handler = Callable[[Request, Callable[[Response], None]], None]
"""What a door calls for each request: the second argument takes the one answer, now or later."""
