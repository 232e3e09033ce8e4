"""Bytes to requests: the llhttp parser, its missing checks and its missing bounds, without a socket.

llhttp refuses by itself: bare CR and LF, folded lines, control characters, white space before a
colon, repeated or non-numeric Content-Length, Content-Length beside Transfer-Encoding, and bad
chunk framing (`tests/http` holds it to that). It bounds nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from keystead.http import head
from keystead.http import refusal as refusals
from keystead.http.head import RefusedError
from keystead.http.inflow import Inflow
from keystead.http.likeness import Likeness, likeness_of
from keystead.http.limits import SLICE, Budget, Limits
from keystead.http.refusal import Refusal
from keystead.http.writer import CONTINUE
from keystead.wire.http import Request

KEEP: Final = ""
KEEP_1_0: Final = "Connection: keep-alive\r\n"
CLOSE: Final = "Connection: close\r\n"
_MOST_KINDS: Final = 64
"""How often a connection's requests may change their kind before all of them are read one by one."""

Arrival = tuple[Request, str]
"""A request and the header line that tells its client what becomes of the connection."""
OpenStream = Callable[[str, str, Mapping[str, str]], Inflow | None]
"""Where the body of a request with this method, target and headers goes; None if it is to be gathered."""


class Reader:
    """Turns one connection's bytes into requests, in order.

    Attributes:
        ready: what is complete and not yet taken, and interim answers that go out first; a Refusal is always the last.
        finished: nothing after what is in `ready` will be read.
        in_body: the headers of a request are complete, its body is not.
        continue_due: the client waits for "100 Continue" before it sends its body.
        inflow: where the body goes that arrives now, of a request that is in `ready` or was taken already.
        open_stream: decides that; without it every body is gathered.
        likeness: reads what is like the request before, None unless a new one begins with the next byte: first ask
            this; what it did not read is for `feed`.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_budget",
        "_certificate",
        "_fed",
        "_fields",
        "_headers",
        "_held",
        "_kinds",
        "_known_host",
        "_last",
        "_limits",
        "_method",
        "_parser",
        "_path",
        "_peer",
        "_secure",
        "_target",
        "_tls",
        "_version",
        "continue_due",
        "finished",
        "in_body",
        "inflow",
        "likeness",
        "open_stream",
        "ready",
    )

    _method: str
    _version: str
    _path: str
    _headers: dict[str, str]

    def __init__(
        self,
        limits: Limits,
        peer: str,
        secure: bool,
        certificate: bytes = b"",
        tls: tuple[str, str] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget(limits.max_buffered)
        self._held = 0  # bytes of the budget that this connection has taken
        self.ready: deque[Arrival | Refusal | bytes] = deque()
        self.finished = False
        self._last = False  # the client ends the connection with the request whose body arrives
        self._limits = limits
        self._peer = peer
        self._secure = secure
        self._certificate = certificate
        self._tls = tls
        self._known_host = ""  # found valid before, so that a kept connection checks it once
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self.open_stream: OpenStream | None = None
        self.inflow: Inflow | None = None
        self.likeness: Likeness | None = None
        self._kinds = 0
        self._begun = False  # the parser has seen a request's first byte and not its last
        self._start_over()

    def _start_over(self) -> None:
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        self._fed = 0  # bytes of this request's header section, then of its body, in slices parsed so far
        self.in_body = False
        self.continue_due = False

    @property
    def begun(self) -> bool:
        """Whether part of a request has arrived."""
        return self._begun or self._fed > 0

    def release(self) -> None:
        """Drop the parser, which refers back to its reader: memory goes without waiting for the collector."""
        self._parser = None
        self.likeness = None
        self.finished = True
        if self.inflow is not None:
            self.inflow.fail()
        self.give_back()

    def give_back(self) -> None:
        """Return what the bodies read so far took of the budget: their requests are answered."""
        self._budget.left += self._held
        self._held = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes of `data` not yet parsed, because what came before them is `ready` to be answered."""
        self.likeness = None
        if len(data) <= SLICE:
            apart = not (self._begun or self.ready)
            self._parse(data)
            if apart and not self._begun and len(self.ready) == 1 and self._kinds < _MOST_KINDS:
                self._remember(data, self.ready[0])
            return b""
        start = 0
        while start < len(data):
            if self.ready or self.finished:
                return data[start:]
            end = start + self._step()
            self._parse(data[start:end])
            start = end
        return b""

    def _remember(self, data: bytes, arrival: Arrival | Refusal | bytes) -> None:
        """None; the next request may be like this one, if this is all that `data` is."""
        if self.finished or not isinstance(arrival, tuple):
            return
        request, line = arrival
        if self.open_stream is None or "x-amz-target" in request.headers:
            self._kinds += 1
            self.likeness = likeness_of(self._limits, data, request, line)

    def _step(self) -> int:
        """How much to parse at once: of a body of known length all that is missing, else a slice."""
        inflow = self.inflow
        if inflow is None or inflow.length is None:
            return SLICE
        return max(SLICE, inflow.length - inflow.received)

    def _parse(self, data: bytes) -> None:
        parser, inflow = self._parser, self.inflow
        if parser is None or self.finished:
            return
        try:
            parser.feed_data(data)
            # otherwise the slice ended with a request
            if self._target or not (self.ready or inflow is not self.inflow):
                self._count(len(data))
        except RefusedError as refused:
            self._refuse(refused.refusal)
        except HttpParserUpgrade:
            self._refuse(refusals.NO_UPGRADE)
        except HttpParserError as error:
            cause = error.__context__  # what a callback raised, if one did
            self._refuse(cause.refusal if isinstance(cause, RefusedError) else refusals.MALFORMED)

    def _refuse(self, refusal: Refusal) -> None:
        # llhttp calls any byte after a last request an error: that request is still answered.
        if not self.finished:
            self.ready.append(refusal)
            self.finished = True
            self.continue_due = False
            self._body = b""
            if self.inflow is not None:
                self.inflow.fail()

    def _count(self, length: int) -> None:
        """Bound what an incomplete request has taken on the wire.

        Raises:
            RefusedError: it is too long already.
        """
        # The slice in which a request or its body begins counts in full: hence
        # one slice of slack, which keeps that from refusing what is within limits.
        self._fed += length
        if self._fed <= SLICE:
            return
        if self.inflow is not None:
            # Chunk headers may take as much as the bytes that they announce, and no more.
            self._fields.clear()
            if self._fed > 2 * self.inflow.received + self._limits.max_header_bytes + SLICE:
                raise RefusedError(refusals.LARGE_BODY)
        elif self.in_body:
            self._fields.clear()  # trailers
            if self._fed > self._limits.max_framed_body + SLICE:
                raise RefusedError(refusals.LARGE_BODY)
        elif self._fed > self._limits.max_header_bytes + SLICE:
            raise RefusedError(refusals.LARGE_HEADERS)

    # ------------------------------------------------------ callbacks of the parser

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._begun = True

    def on_url(self, url: bytes) -> None:
        """Take (a part of) the request target."""
        self._target = target = self._target + url if self._target else url
        if len(target) > self._limits.max_target:
            raise RefusedError(refusals.LONG_TARGET)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one whole header field, or a trailer, which is dropped (RFC 9110 section 6.5.1).

        Merged, a trailer would be a header that came after the decision about the body.
        """
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the header section before any of the body is accepted."""
        parser, limits, fields = self._parser, self._limits, self._fields
        assert parser is not None
        self._method = head.check_method(parser.get_method())
        if len(fields) > limits.max_headers or self._fed or limits.max_header_bytes < SLICE:
            self._check_size()
        self._headers = headers = head.join_fields(fields)
        self._version = version = parser.get_http_version()
        if version not in head.VERSIONS:
            raise RefusedError(refusals.BAD_VERSION)
        host = headers.get("host")
        if host != self._known_host:
            head.check_host(host, version)
            self._known_host = host or ""
        if "transfer-encoding" in headers:
            head.check_coding(headers["transfer-encoding"], version)
        if "upgrade" in headers and parser.should_upgrade():
            raise RefusedError(refusals.NO_UPGRADE)
        self._path = path = self._target.decode("ascii")
        if path[0] != "/" or "#" in path:
            self._path = head.origin_form(path, host or "")
        self.continue_due = "expect" in headers and head.awaits_continue(headers["expect"], version)
        self._fed = 0
        self.in_body = True
        if self.open_stream is not None and "x-amz-target" not in headers:
            self.inflow = self.open_stream(self._method, path, headers)
        if self.inflow is not None:
            self._put_ready(self.inflow)
        # Told before the body is sent: who asked for 100-continue never sends it.
        elif "content-length" in headers and int(headers["content-length"]) > limits.max_body:
            raise RefusedError(refusals.LARGE_BODY)

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self.continue_due = False
        if self.inflow is not None:
            self.inflow.feed(data)
            return
        if not self._body:
            self._body = data
        else:
            # A bytearray: a list of one-byte pieces would take fifty times the body's size.
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        if len(self._body) > self._limits.max_body:
            raise RefusedError(refusals.LARGE_BODY)
        if len(self._body) > SLICE:  # shorter ones are bounded by the number of connections
            self._take(len(data))

    def _take(self, length: int) -> None:
        self._held += length
        self._budget.left -= length
        if self._budget.left < 0:
            raise RefusedError(refusals.TOO_MUCH_AT_ONCE)

    def on_message_complete(self) -> None:
        """Put the request into `ready`, unless it is there since its headers were."""
        if self.inflow is not None:
            self.inflow.finish()
            self.inflow = None
            self.finished = self._last
        else:
            self._put_ready(None)
        self._begun = False
        self._start_over()

    def pass_over(self) -> None:
        """None; the rest of the body went to `inflow` without the parser, and what comes next is a new request."""
        self.on_message_complete()
        self._parser = HttpRequestParser(self)

    def _put_ready(self, stream: Inflow | None) -> None:
        assert self._parser is not None
        if not self._parser.should_keep_alive():
            connection = CLOSE
            self._last = True
            self.finished = stream is None
        else:
            connection = KEEP if self._version == "1.1" else KEEP_1_0
        if self.continue_due and self._headers.get("content-length") == "0":
            # Needless, were there not botocores (before 1.44) that take a connection on which the answer came at once for
            # one that has brought the next answer's status line too, and wait for that answer until they give up.
            self.continue_due = False
            self.ready.append(CONTINUE)
        request = Request(
            self._method,
            self._path,
            self._headers,
            bytes(self._body),
            self._peer,
            self._secure,
            self._certificate,
            self._tls,
            stream,
        )
        self.ready.append((request, connection))

    def _check_size(self) -> None:
        fields, limits = self._fields, self._limits
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in fields)
        if len(fields) > limits.max_headers or size > limits.max_header_bytes:
            raise RefusedError(refusals.LARGE_HEADERS)
