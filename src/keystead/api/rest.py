"""S3 over HTTP: which operation a request is for, and how its struct, its body and its answer are carried.

Operations share paths. What tells them apart, in this order: the method; whether bucket and key are there; query
parameters that the model fixes (`?acl`, `list-type=2`); query parameters and headers that the operation requires.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

import msgspec

from keystead import errors
from keystead.api.formdata import FormBody
from keystead.api.payload import SUM, Payload
from keystead.api.resources import not_taken
from keystead.wire import model, sigv2
from keystead.wire.address import Address, address_of, bucket_of_host
from keystead.wire.claim import ALGORITHM
from keystead.wire.http import Request, Response, Source
from keystead.wire.model import OperationShape
from keystead.wire.protocols import rest_xml
from keystead.wire.protocols.query import character_data
from keystead.wire.sigv4 import MISMATCH
from keystead.wire.uri import fields_of

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_XML: Final = ("Content-Type", rest_xml.CONTENT_TYPE)
_WITH_ENTITY: Final = frozenset({"PUT", "POST"})
_PREFERRED: Final = {"GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration"}

_CODES: Final[dict[type[errors.ApiError], tuple[str, int, str]]] = {
    errors.AccessDenied: ("AccessDenied", 403, ""),
    errors.ExpiredToken: ("ExpiredToken", 400, "The provided token has expired."),
    errors.IncompleteSignature: ("AuthorizationHeaderMalformed", 400, ""),
    errors.InvalidSignature: ("SignatureDoesNotMatch", 403, ""),
    errors.InternalFailure: ("InternalError", 500, ""),
    errors.MissingAuthenticationToken: ("AccessDenied", 403, "Access Denied"),
    errors.RequestTimeout: (
        "RequestTimeout",
        400,
        "Your socket connection to the server was not read from or written to within the timeout period.",
    ),
    errors.Serialization: ("MalformedXML", 400, errors.MalformedXml.said),
    errors.Throttling: ("SlowDown", 503, "Please reduce your request rate."),
    errors.UnknownOperation: ("MethodNotAllowed", 405, errors.UnsupportedMethod.said),
    errors.UnreadableAddress: ("InvalidURI", 400, errors.InvalidUri.said),
    errors.UnrecognizedClient: (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    errors.UnsupportedOperation: ("NotImplemented", 501, ""),
    errors.Validation: ("InvalidArgument", 400, ""),
}
"""What S3 calls the errors that every service has: code, status, and its words where they differ."""
_ONLY_TAKEN: Final = {
    "versionId": "This operation does not accept a version-id.",
    "partNumber": "This operation does not accept partNumber without uploadId",
    "uploadId": "This operation does not accept uploadId",
}
"""Parameters that say what a request is about, so that passed over they would make another one of it."""
_OF_A_BUCKET: Final = {
    "partNumber": "Object must have a valid key name.",
    "uploadId": "A key must be specified",
}
"""What is said of them where there is no object; a version there is refused as elsewhere."""
_OF_THE_OTHER_LIST: Final = {
    "ListObjects": {
        "continuation-token": "continuation-token only supported in REST.GET.BUCKET with list-type=2",
        "start-after": "startAfter only supported in REST.GET.BUCKET with list-type=2",
    },
    "ListObjectsV2": {"marker": "Marker unsupported with REST.GET.BUCKET in list-type=2"},
}
"""Parameters that say where a list begins, likewise, for each of the two what the other takes."""
_HEADERS_ONLY_TAKEN: Final = {
    "x-amz-copy-source": "You can only specify a copy source header for copy requests.",
    "x-amz-server-side-encryption": "x-amz-server-side-encryption header is not supported for this operation.",
}
"""Headers likewise."""
_OK: Final = 200
_SCOPE: Final = "/s3/aws4_request"
_SCOPE_QUOTED: Final = "%2Fs3%2Faws4_request"
"""As most clients write it."""
_MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing "
    "method."
)
_EXPIRED: Final = "Signature expired"
_EARLY: Final = "Signature not yet current"


class Exchange(msgspec.Struct):
    """What a request to S3 brings besides its struct, and what its answer has besides.

    Attributes:
        address: bucket and key.
        presigned: the signature is in the query.
        version: how it is signed, as conditions call it.
        head: an error has no body.
        payload: the request's body.
        status: the answer's, if it is not the model's.
        source: the answer's body where it is a stream, of `length` bytes.
        body: the same where it is short.
        headers: more of the answer's, an error's too.
        form: a form is what was sent, which stands for the request.
        origin: of the page that sent the request, if one did; empty once the answer has what a page must know.
        host: the one that was asked, as the request names it.
        shape: the operation's, once it is known.
        document: the answer's body where it is XML, once it is made.
    """

    address: Address
    presigned: bool = False
    version: str = ALGORITHM
    head: bool = False
    payload: Payload | None = None
    status: int = 0
    source: Source | None = None
    length: int = 0
    body: bytes = b""
    headers: list[tuple[str, str]] = []
    query: Mapping[str, str] = {}
    method: str = ""
    origin: str = ""
    form: bool = False
    host: str = ""
    shape: OperationShape | None = None
    document: bytes | None = None

    def made(self, answer: Any) -> bytes:
        """The answer as a document, empty if it has none; made once."""
        if self.document is None:
            self.document = b"" if self.shape is None else rest_xml.body_of(self.shape, answer, NAMESPACE)
        return self.document

    def sent(self, answer: Any) -> int:
        """How many bytes the body of this answer has."""
        if self.head:
            return 0
        return self.length if self.source is not None else len(self.body or self.made(answer))


def is_for_s3(method: str, target: str, headers: Mapping[str, str], domains: Sequence[str] = ()) -> bool:
    """Whether a request without X-Amz-Target is for S3: signed for it, or unsigned and for a bucket.

    The Query protocol knows one path, `/`, so what is unsigned and has another is for a bucket too.
    """
    signed = headers.get("authorization")
    if signed is not None:
        return _SCOPE in signed or signed.startswith("AWS ")
    query = target.partition("?")[2]
    if "X-Amz-Credential=" in query:
        return _SCOPE in query or _SCOPE_QUOTED in query or _SCOPE in unquote(query)
    if target[:2] not in {"/", "/?"}:
        return True
    form = headers.get("content-type", "").startswith("multipart/form-data")
    return (method != "POST" or form) and bool(bucket_of_host(headers.get("host", ""), domains))


class RestEncoding:
    """The encoding of one request, whose exchange it keeps."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def decoding(self, service: model.Service, operation: str) -> Callable[[Request], Any]:
        return partial(self._decode, service, operation)

    def answering(self, service: model.Service, operation: str) -> Callable[[Any, str], Response]:
        return partial(self._answer, service, operation)

    def _decode(self, service: model.Service, operation: str, request: Request) -> Any:
        """The request struct; a body that is a document is read for it.

        Raises:
            errors.ApiError: the request is not what the operation takes.
        """
        shape, exchange = service.operations[operation], self.exchange
        exchange.shape, body = shape, b""
        if exchange.payload is not None and request.method in _WITH_ENTITY and not streams(shape):
            body = exchange.payload.whole(summed=not _sums_another(shape))
        return rest_xml.decode(shape, request.headers, exchange.address.labels, exchange.query, body)

    def _answer(self, service: model.Service, operation: str, answer: Any, request_id: str) -> Response:
        exchange = self.exchange
        headers = [*_identified(request_id), *exchange.headers]
        if not operation:  # a preflight
            return Response(_OK, tuple(headers), b"")
        shape = service.operations[operation]
        if answer is not None:
            headers += rest_xml.headers_of(answer)
        exchange.shape = shape
        body = exchange.body or exchange.made(answer)
        if body and not exchange.body:
            headers.append(_XML)
        if exchange.head or exchange.source is not None:
            return Response(
                exchange.status or shape.status, tuple(headers), b"", exchange.source, exchange.length
            )
        return Response(exchange.status or shape.status, tuple(headers), body)

    def refusal(self, _service: model.Service, error: errors.ApiError, request_id: str) -> Response:
        code, status, message = self._told(error)
        headers = (*_identified(request_id), *self.exchange.headers, *getattr(error, "headers", ()))
        if status == errors.NotModified.status:
            return Response(status, headers, b"")
        if self.exchange.head:
            return Response(status, (*headers, _XML), b"")
        about: dict[str, str] = dict(getattr(error, "about", {}))
        parts = "".join(f"<{name}>{character_data(text)}</{name}>" for name, text in about.items())
        body = (
            f"{rest_xml.DECLARATION}<Error><Code>{escape(code)}</Code><Message>{character_data(message)}</Message>"
            f"{parts}<RequestId>{request_id}</RequestId><HostId>{host_id(request_id)}</HostId></Error>"
        )
        return Response(status, (*headers, _XML), body.encode())

    def _told(self, error: errors.ApiError) -> tuple[str, int, str]:
        said = error.message or ""
        if isinstance(error, errors.InvalidSignature) and said.startswith((_EXPIRED, _EARLY)):
            if self.exchange.presigned:
                expired = said.startswith(_EXPIRED)
                return "AccessDenied", 403, "Request has expired" if expired else "Request is not valid yet"
            return (
                "RequestTimeTooSkewed",
                403,
                "The difference between the request time and the current time is too large.",
            )
        if isinstance(error, errors.InvalidSignature) and said == MISMATCH:
            said = _MISMATCH
        code, status, message = _CODES.get(type(error), (error.code, error.status, ""))
        return code, status, message or said


def _identified(request_id: str) -> tuple[tuple[str, str], ...]:
    return (("x-amz-request-id", request_id), ("x-amz-id-2", host_id(request_id)))


def host_id(request_id: str) -> str:
    """What answers call the host that answered: nothing but the request is told."""
    return request_id.replace("-", "")


def streams(shape: OperationShape) -> bool:
    """Whether the operation takes its body as it comes."""
    return any(m.location == "payload" and m.rule.kind == "blob" for m in shape.input.MEMBERS)


def _sums_another(shape: OperationShape) -> bool:
    """Whether a checksum in a header is of the object that the document makes, not of the document."""
    return any(m.name.lower().startswith(SUM) for m in shape.input.MEMBERS if m.location == "header")


class _Row(msgspec.Struct, frozen=True):
    """What a request must have to be for an operation; `taken` are the parameters and headers that it may have."""

    name: str
    fixed: Mapping[str, str]
    fields: frozenset[str]
    taken: frozenset[str]
    headers: frozenset[str]
    offered: bool


class RestRouter:
    """Finds the operation of a request to a service of this protocol."""

    def __init__(self, service: model.Service, offered: Sequence[str], domains: Sequence[str]) -> None:
        self._domains = domains
        self._rows: dict[tuple[str, str], list[_Row]] = {}
        for name, shape in service.operations.items():
            row = _row(shape, offered=name in offered)
            self._rows.setdefault((shape.method, shape.path), []).append(row)
        rows = [row for found in self._rows.values() for row in found]
        self._selectors = frozenset(name for row in rows for name, value in row.fixed.items() if not value)
        self._methods: dict[tuple[str, str], set[str]] = {}
        for (method, path), found in self._rows.items():
            for name in {name for row in found for name in (row.fixed.keys() & self._selectors or ("",))}:
                self._methods.setdefault((path, name), set()).add(method)

    def route(self, request: Request) -> tuple[str, Exchange]:
        """The operation's name, and the request's exchange.

        Raises:
            errors.UnsupportedMethod: there is no such operation.
            errors.InvalidS3Argument, errors.InvalidS3Request: the query names two, or what this one does not take,
                or the headers do.
            errors.UnreadableAddress: path or query cannot be read.
        """
        exchange = self.exchange(request)
        address, fields = exchange.address, exchange.query
        path = "/{Bucket}/{Key+}" if address.key else "/{Bucket}" if address.bucket else "/"
        found = [row for row in self._rows.get((request.method, path), ()) if _fits(row, fields, request)]
        named = sorted(self._selectors & fields.keys()) if fields else []
        if len(named) > 1:
            raise errors.InvalidS3Argument(
                f"Conflicting query string parameters: {', '.join(named)}",
                {"ArgumentName": "ResourceType", "ArgumentValue": named[0]},
            )
        best = max(
            found,
            key=lambda row: (len(row.fixed), len(row.fields) + len(row.headers), row.offered),
            default=None,
        )
        selector = named[0] if named else ""
        if best is None or (selector and selector not in best.fixed):
            allowed = self._methods.get((path, selector), ())
            raise not_taken(request.method, address, selector, allowed)
        if fields:
            _check(best, fields, address)
        _check_headers(best, request.headers)
        return best.name, exchange

    def exchange(self, request: Request) -> Exchange:
        """The exchange of a request, whichever operation it is for.

        Raises:
            errors.UnreadableAddress: path or query cannot be read.
        """
        fields, form = fields_of(request.query), isinstance(request.stream, FormBody)
        return Exchange(
            address_of(request, self._domains),
            presigned="X-Amz-Signature" in fields or sigv2.presigned(request),
            version=_version(request),
            head=request.method == "HEAD",
            headers=[],
            query=fields,
            method="POST" if form else request.method,
            form=form,
            origin=request.headers.get("origin", ""),
            host=request.headers.get("host", ""),
        )


def _version(request: Request) -> str:
    form = request.stream.fields if isinstance(request.stream, FormBody) else {}
    old = sigv2.presigned(request) or sigv2.parse_form(form, "") is not None
    return sigv2.NAME if old else ALGORITHM


def _row(shape: OperationShape, *, offered: bool) -> _Row:
    fixed = {}
    for part in filter(None, shape.query.split("&")):
        name, _, value = part.partition("=")
        if name != "x-id":
            fixed[name] = value
    required = [member for member in shape.input.MEMBERS if member.required]
    fields = frozenset(m.name for m in required if m.location == "querystring")
    headers = frozenset(m.name.lower() for m in required if m.location == "header")
    # What the operation refuses in its own words, rather than not be found without.
    telling = headers & {"x-amz-copy-source"}
    taken = frozenset(
        m.name.lower() if m.location == "header" else m.name
        for m in shape.input.MEMBERS
        if m.location in {"header", "querystring"}
    )
    return _Row(shape.name, fixed, fields, taken, telling, offered or shape.name in _PREFERRED)


def _fits(row: _Row, fields: Mapping[str, str], request: Request) -> bool:
    for name, value in row.fixed.items():
        if name not in fields or value not in ("", fields[name]):
            return False
    return row.fields <= fields.keys() and row.headers <= request.headers.keys()


def _check(row: _Row, fields: Mapping[str, str], address: Address) -> None:
    """None, if the query says nothing that the operation would pass over though it says what to do."""
    if not address.bucket:
        return
    for name, said in _OF_THE_OTHER_LIST.get(row.name, {}).items():
        if name in fields:
            raise errors.InvalidS3Argument(said, {"ArgumentName": name})
    for name, said in _ONLY_TAKEN.items():
        if name not in fields or name in row.taken:
            continue
        if not address.key and name in _OF_A_BUCKET:
            raise errors.InvalidS3Request(_OF_A_BUCKET[name])
        raise errors.InvalidS3Argument(said, {"ArgumentName": name, "ArgumentValue": fields[name]})


def _check_headers(row: _Row, headers: Mapping[str, str]) -> None:
    """None, if the headers say nothing of the kind."""
    for name, said in _HEADERS_ONLY_TAKEN.items():
        if name in headers and name not in row.taken:
            raise errors.InvalidS3Argument(said, {"ArgumentName": name, "ArgumentValue": headers[name]})
