"""The body of a request to S3: read in pieces, and held to what the request says of it.

What is wrong shows at the end at the latest, so nothing that was made of the pieces counts before `chunks` has ended.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead import errors
from keystead.api.aside import hash_beside
from keystead.crypto import checksum
from keystead.crypto.checksum import Hash
from keystead.wire import sigv4
from keystead.wire.aws_chunked import Decoder, Signer
from keystead.wire.http import Body, Buffer, Request

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_SIGNED_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_TRAILER: Final = "-TRAILER"
_UNSIGNED_CHUNKS: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_CHUNKED: Final = frozenset({_SIGNED_CHUNKS, _SIGNED_CHUNKS + _TRAILER, _UNSIGNED_CHUNKS})
SUM: Final = "x-amz-checksum-"
"""What the names of headers with a checksum begin with."""
_NOT_A_SUM: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"})
_MEASURES: Final = frozenset({"content-length", "transfer-encoding"})
"""Headers that say where a body ends (RFC 9112 section 6.3): Amazon S3 takes no object without."""
_SHA256_DIGITS: Final = 64
_MD5_BYTES: Final = 16
LARGEST_DOCUMENT: Final = 4 * 1024 * 1024
"""Bytes of XML or JSON; ten thousand parts of an upload take less than half of it."""


class Held:
    """A `wire.http.Body` that has arrived already."""

    def __init__(self, body: bytes) -> None:
        self.length: int | None = len(body)
        self.kept: Any = None
        self._left = body

    def read(self) -> Buffer:
        piece, self._left = self._left, b""
        return piece


def declared(request: Request) -> str:
    """What stands for the body in the signature, as the request says.

    Raises:
        errors.InvalidS3Argument: it is none of what S3 knows.
        errors.InvalidS3Request: a signed header says nothing of it.
    """
    said = request.headers.get("x-amz-content-sha256")
    if said is None:
        if "authorization" in request.headers:
            raise errors.InvalidS3Request("Missing required header for this request: x-amz-content-sha256")
        return UNSIGNED
    if said in _CHUNKED or said == UNSIGNED or _is_sha256(said):
        return said
    raise errors.InvalidS3Argument(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": said},
    )


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_DIGITS and not text.strip("0123456789abcdefABCDEF")


class Payload:
    """The body of one request, read by one thread.

    Attributes:
        kept: see `wire.http.Body`.
        length: bytes of content, None if nobody says.
        algorithm: the checksum that the request sends or will send, None without one.
        document: it is XML or JSON, which is read at once.
    """

    def __init__(self, request: Request, claim: sigv4.Claim | None, key: sigv4.SigningKey | None) -> None:
        assert request.stream is not None
        self._body: Body = request.stream
        self._headers = request.headers
        self._said = declared(request)
        self._signer = None
        if self._said.startswith(_SIGNED_CHUNKS):
            if claim is None or key is None:
                raise errors.S3AccessDenied
            self._signer = Signer(claim, key, claim.signature)
        self.length = _length(request, chunked=self._said in _CHUNKED, stated=self._body.length)
        self.algorithm, self._expected = _announced(request.headers)
        self.document = False
        self._hashes: dict[str, Hash] = {}
        self._trailers: Mapping[str, str] = {}

    @property
    def kept(self) -> Any:
        return self._body.kept

    @kept.setter
    def kept(self, value: Any) -> None:
        self._body.kept = value

    @property
    def vouched(self) -> bool:
        """Whether the request says what its body is by MD5 or a checksum."""
        return self.algorithm is not None or "content-md5" in self._headers

    def also(self, name: str) -> None:
        """None; the body's checksum of this algorithm (or `MD5`) will be known at its end."""
        if name not in self._hashes:
            self._hashes[name] = hash_beside(name)

    def digest(self, name: str) -> bytes:
        """A checksum that was asked for, once the body has been read."""
        return self._hashes[name].digest()

    def chunks(self, most: int) -> Iterator[Buffer]:
        """The content in pieces, which are not changed while anything looks at them.

        Raises:
            errors.EntityTooLarge: it has more than `most` bytes.
            errors.RequestTimeout: it does not arrive.
            errors.S3Error, errors.InvalidSignature: it is not what the request says that it is.
        """
        self._begin(most)
        hashes, size = tuple(self._hashes.values()), 0
        for piece in self._coded() if self._said in _CHUNKED else self._plain():
            size += len(piece)
            if size > most:
                raise errors.EntityTooLarge
            for each in hashes:
                each.update(piece)
            yield piece
        self._end(size)

    def whole(self, *, summed: bool = True) -> bytes:
        """The content at once, again if it was read before; without `summed` a checksum is of something else.

        Raises:
            errors.ApiError: as `chunks`.
        """
        self.document = True
        if not summed:
            self.algorithm = None
        if not isinstance(self.kept, bytes):
            self.kept = b"".join(self.chunks(LARGEST_DOCUMENT))
        found: bytes = self.kept
        return found

    def _begin(self, most: int) -> None:
        if self.length is not None and self.length > most:
            raise errors.EntityTooLarge
        if not (self.document or self._said in _CHUNKED or _MEASURES & self._headers.keys()):
            raise errors.MissingContentLength
        if _is_sha256(self._said):
            self.also("SHA256")
        if "content-md5" in self._headers:
            _check_md5_form(self._headers["content-md5"])
            self.also("MD5")
        if self.algorithm is not None:
            self.also(self.algorithm)

    def _plain(self) -> Iterator[Buffer]:
        while piece := self._body.read():
            yield piece

    def _coded(self) -> Iterator[Buffer]:
        decoder = Decoder(self._signer, trailing=self._said.endswith(_TRAILER))
        while piece := self._body.read():
            yield from decoder.feed(piece)
        decoder.end()
        self._trailers = decoder.trailers

    def _end(self, size: int) -> None:
        if self.length is not None and size != self.length:
            raise errors.IncompleteBody(
                about={"NumberBytesExpected": str(self.length), "NumberBytesProvided": str(size)}
            )
        if _is_sha256(self._said):
            self._check_sha256()
        if "content-md5" in self._headers:
            self._check_md5()
        if self.algorithm is not None:
            self._check_sum(self.algorithm)

    def _check_sha256(self) -> None:
        found = self.digest("SHA256").hex()
        if not hmac.compare_digest(found, self._said.lower()):
            raise errors.ContentSha256Mismatch(
                about={"ClientComputedContentSHA256": self._said, "S3ComputedContentSHA256": found}
            )

    def _check_md5(self) -> None:
        found, given = checksum.text(self.digest("MD5")), self._headers["content-md5"].strip()
        if found != given:
            # Amazon S3 writes what it expected of an object in hex, of a document as it came.
            expected = given if self.document else base64.b64decode(given).hex()
            raise errors.BadDigest(about={"ExpectedDigest": expected, "CalculatedDigest": found})

    def _check_sum(self, algorithm: str) -> None:
        name = SUM + algorithm.lower()
        expected = self._expected or self._trailers.get(name)
        if expected is None or not self._trailers.keys() <= {name}:
            raise errors.MalformedTrailer
        if not _has_size(expected, checksum.SIZES[algorithm]):
            raise errors.InvalidS3Request(f"Value for {name} trailing header is invalid.")
        if expected != checksum.text(self.digest(algorithm)):
            raise errors.BadDigest(f"The {algorithm} you specified did not match the calculated checksum.")


def _length(request: Request, *, chunked: bool, stated: int | None) -> int | None:
    """The content's length: what is coded in chunks has a header of its own for it."""
    if not chunked:
        return stated if stated is not None else (None if _in_transfer_chunks(request) else 0)
    text = request.headers.get("x-amz-decoded-content-length")
    if text is None:
        raise errors.MissingContentLength
    if not text.isascii() or not text.isdigit() or len(text) > 15:  # noqa: PLR2004  more than any disk
        raise errors.MissingContentLength
    return int(text)


def _in_transfer_chunks(request: Request) -> bool:
    return "transfer-encoding" in request.headers


def _announced(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The algorithm of the checksum that a header or a trailer has, and the header's value."""
    found = [name for name in headers if name.startswith(SUM) and name not in _NOT_A_SUM]
    trailing = _trailing(headers.get("x-amz-trailer", ""))
    if max(len(found), len(trailing)) > 1:
        raise errors.InvalidS3Request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if found and trailing:
        raise errors.InvalidS3Request("Expecting a single x-amz-checksum- header")
    flag = headers.get("x-amz-sdk-checksum-algorithm")
    if not found and not trailing:
        if flag is not None:
            raise errors.InvalidS3Request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                "x-amz-trailer headers were found."
            )
        return None, None
    (name,) = found or trailing
    algorithm, value = name.removeprefix(SUM).upper(), headers.get(name)
    if algorithm not in checksum.ALGORITHMS:
        raise errors.InvalidS3Request(
            "The algorithm type you specified in x-amz-checksum- header is invalid."
        )
    if flag is not None and flag.upper() != algorithm:
        raise errors.InvalidS3Request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if value is not None and not _has_size(value, checksum.SIZES[algorithm]):
        raise errors.InvalidS3Request(f"Value for {name} header is invalid.")
    return algorithm, value


def _trailing(text: str) -> list[str]:
    """The names that `x-amz-trailer` lists: of checksums, and commas may end the list.

    Raises:
        errors.InvalidS3Request: it lists something else.
    """
    names = text.lower().rstrip(",").split(",") if text.strip() else []
    names = [name.strip() for name in names]
    if not all(name.removeprefix(SUM).upper() in checksum.ALGORITHMS for name in names):
        raise errors.InvalidS3Request("The value specified in the x-amz-trailer header is not supported")
    return names


def _check_md5_form(text: str) -> None:
    if not _has_size(text.strip(), _MD5_BYTES):
        raise errors.InvalidDigest


def _has_size(text: str, size: int) -> bool:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(decoded) == size and base64.b64encode(decoded).decode() == text
