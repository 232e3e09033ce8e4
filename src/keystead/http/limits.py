"""What the door accepts from a client: sizes, counts and patience."""

from __future__ import annotations

from typing import Final

import msgspec

SLICE: Final = 8192
"""Bytes given to the parser at a time: bounds how many pipelined requests are parsed ahead."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one connection and on all of them; sizes in bytes, times in seconds.

    Attributes:
        max_body: longest request body, chunk framing not counted.
        max_header_bytes: longest header section, request target included.
        max_headers: most header fields, repeated names counted each time.
        max_target: longest request target.
        header_timeout: from a request's first byte to the end of its headers; also a TLS handshake.
        body_timeout: from the end of the headers to the end of the body; also how long a client
            may leave an answer unread.
        idle_timeout: from one answer (or the connection's start) to the next request's first byte.
        linger_timeout: how long the rest of a refused request is read and thrown away, so that the
            client sees the refusal and not a reset (RFC 9112 section 9.6).
        max_connections: open connections; one more is told 503 and closed.
        max_buffered: bytes of bodies longer than a slice that all connections together hold; whoever sends more
            is told 503.
    """

    max_body: int = 1024 * 1024
    max_header_bytes: int = 32 * 1024
    max_headers: int = 100
    max_target: int = 8 * 1024
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    idle_timeout: float = 75.0
    linger_timeout: float = 5.0
    max_connections: int = 10_000
    max_buffered: int = 64 * 1024 * 1024

    @property
    def max_framed_body(self) -> int:
        """Most bytes a body may take on the wire: chunk extensions and trailers are bounded too."""
        return 2 * self.max_body + self.max_header_bytes


class Budget:
    """Bytes that bodies may still take, for all connections together."""

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = size
