"""The content coding `aws-chunked`: a body in chunks, each with a signature or none, and fields after the last.

Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
Multiple Chunks" and "... Trailing Headers". Chunks are of any size, so bytes are given on before the signature of
their chunk is checked: whoever takes them publishes nothing before the end.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import msgspec

from keystead.errors import IncompleteBody, InvalidSignature, MalformedTrailer
from keystead.wire.http import Buffer
from keystead.wire.signing import Claim
from keystead.wire.sigv4 import MISMATCH, SigningKey

_LONGEST_LINE: Final = 8192
_USUAL_LINE: Final = 256
_MOST_SIZE_DIGITS: Final = 16
_MOST_TRAILERS: Final = 8
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"
_MOST_BEHIND: Final = 8192
"""Bytes behind the end, which Amazon S3 does not look at."""
_FIELDS: Final = -2
_CUT: Final = "The request body terminated unexpectedly"


class Signer(msgspec.Struct):
    """Checks the chain of signatures that begins with the request's own."""

    claim: Claim
    key: SigningKey
    last: str

    def check_chunk(self, digest: str, signature: str) -> None:
        """None; `digest` is the SHA-256 of the chunk in hex.

        Raises:
            InvalidSignature: it was not signed so.
        """
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_NOTHING}\n{digest}", signature)

    def check_trailers(self, digest: str, signature: str) -> None:
        """None; `digest` is the SHA-256 of the trailing fields in hex.

        Raises:
            InvalidSignature: they were not signed so.
        """
        self._check("AWS4-HMAC-SHA256-TRAILER", digest, signature)

    def _check(self, label: str, digests: str, signature: str) -> None:
        text = f"{label}\n{self.claim.date}\n{self.claim.scope.text}\n{self.last}\n{digests}"
        expected = self.key.sign(text.encode())
        if not (signature.isascii() and hmac.compare_digest(expected, signature)):
            raise InvalidSignature(MISMATCH)
        self.last = expected


class Decoder:
    """Takes a body piece by piece, and gives the bytes in it.

    Attributes:
        trailers: the fields after the last chunk, names in lower case; of a name that comes twice the last.
        over: the last chunk and its fields are complete.
    """

    def __init__(self, signer: Signer | None, *, trailing: bool) -> None:
        self.trailers: dict[str, str] = {}
        self.over = False
        self._signer = signer
        self._trailing = trailing
        self._waiting = b""  # the beginning of a line
        self._behind = 0  # bytes behind the end
        self._left = -1  # bytes of the chunk that are missing; -1 before its header, 0 before its end, _FIELDS behind the last
        self._signature = ""
        self._hash = hashlib.sha256()
        self._fields = b""
        self._lines = 0

    def feed(self, data: Buffer) -> list[memoryview]:
        """The bytes that were in `data`, as far as they can be told yet: views of it.

        Raises:
            IncompleteBody: it is not so coded.
            InvalidSignature: a chunk was not signed so.
            MalformedTrailer: the fields after the last chunk cannot be read.
        """
        found: list[memoryview] = []
        rest = memoryview(data)
        while rest:
            if self.over:
                self._behind += len(rest)
                break
            if self._left > 0:
                self._take(rest[: self._left], found)
                rest = rest[len(found[-1]) :]
            else:
                rest = self._until_line_ends(rest)
        if self._behind > _MOST_BEHIND:
            raise IncompleteBody(_CUT)
        return found

    def _until_line_ends(self, rest: memoryview) -> memoryview:
        """What follows the line that begins, or goes on, in `rest`; nothing if its end is missing, too."""
        waiting = self._waiting
        for most in (_USUAL_LINE, _LONGEST_LINE + 2):
            line, end, _ = (waiting + rest[:most]).partition(b"\r\n")
            if end:
                self._waiting = b""
                self._line(line)
                return rest[len(line) + 2 - len(waiting) :]
        if len(line) > _LONGEST_LINE:
            raise IncompleteBody(_CUT)
        self._waiting = line
        return rest[len(rest) :]

    def end(self) -> None:
        """None; nothing more comes. The last line, which is empty, may be missing.

        Raises:
            IncompleteBody: something else is missing.
            InvalidSignature, MalformedTrailer: as `feed`.
        """
        if self._left == _FIELDS and not self.over and not self._waiting:
            self._finish()
        if not self.over:
            raise IncompleteBody(_CUT)

    def _take(self, piece: memoryview, found: list[memoryview]) -> None:
        if self._signer is not None:
            self._hash.update(piece)
        found.append(piece)
        self._left -= len(piece)

    def _line(self, line: bytes) -> None:
        """A line that is no chunk's content: the end of one, the header of the next, or a trailing field."""
        if self._left == 0:
            if line:
                raise IncompleteBody(_CUT)
            self._end_chunk()
            self._left = -1
        elif self._left == -1:
            self._begin_chunk(line)
        elif line:
            self._field(line)
        else:
            self._finish()

    def _begin_chunk(self, line: bytes) -> None:
        size, _, rest = line.partition(b";")
        name, _, given = rest.partition(b"=")
        signature = given.strip().decode("latin-1")
        digits = size.strip()
        if not digits or len(digits) > _MOST_SIZE_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
            raise IncompleteBody(_CUT)
        if self._signer is not None and rest and name.strip() != b"chunk-signature":
            raise InvalidSignature(MISMATCH)
        if (self._signer is None) != (not rest) or ";" in signature or (rest and not signature):
            raise IncompleteBody(_CUT)
        self._signature = signature
        self._hash = hashlib.sha256()
        self._left = int(digits, 16)
        if self._left == 0:
            self._end_chunk()
            self._left = _FIELDS

    def _end_chunk(self) -> None:
        if self._signer is not None:
            self._signer.check_chunk(self._hash.hexdigest(), self._signature)

    def _field(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        key = name.strip().lower().decode("latin-1")
        self._lines += 1
        if not colon or not self._trailing or self._lines > _MOST_TRAILERS:
            raise MalformedTrailer
        self.trailers[key] = value.strip().decode("latin-1")
        if key != _TRAILER_SIGNATURE:
            self._fields += key.encode("latin-1") + b":" + value.strip() + b"\n"

    def _finish(self) -> None:
        signature = self.trailers.pop(_TRAILER_SIGNATURE, "")
        if self._signer is not None and self._trailing:
            if not signature:
                raise IncompleteBody(_CUT)
            self._signer.check_trailers(hashlib.sha256(self._fields).hexdigest(), signature)
        self.over = True
