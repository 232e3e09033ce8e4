"""Errors that the door itself answers: one table, in the form of AWS's JSON errors."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead.errors import InternalFailure, RequestTimeout, RequestTooLarge
from keystead.wire.http import Response

MALFORMED_REQUEST: Final = "MalformedHttpRequestException"


class Refusal(msgspec.Struct, frozen=True):
    """Why a request was not handed on; the connection is closed after it is told.

    The message never repeats what the client sent.
    """

    status: int
    code: str
    message: str


def _malformed(message: str, status: int = 400) -> Refusal:
    return Refusal(status, MALFORMED_REQUEST, message)


MALFORMED: Final = _malformed("The request is not well-formed HTTP/1.1.")
NO_HOST: Final = _malformed("The request needs exactly one valid Host header.")
REPEATED_HEADER: Final = _malformed("A header that may occur once occurs more than once.")
BAD_FRAMING: Final = _malformed("The length of the request body is stated wrongly or twice.")
BAD_CODING: Final = _malformed("The only transfer coding accepted is chunked.")
BAD_TARGET: Final = _malformed("The request target is not a path on this host.")
NO_CONNECT: Final = _malformed("This server is not a proxy.")
NO_UPGRADE: Final = _malformed("This server does not change to another protocol.")
LONG_TARGET: Final = _malformed("The request target is too long.", 414)
BAD_EXPECTATION: Final = _malformed("The only expectation accepted is 100-continue.", 417)
LARGE_HEADERS: Final = _malformed("The request headers are too large or too many.", 431)
BAD_METHOD: Final = _malformed("The request method is not known.", 501)
BAD_VERSION: Final = _malformed("The versions accepted are HTTP/1.1 and HTTP/1.0.", 505)
LARGE_BODY: Final = Refusal(RequestTooLarge.status, RequestTooLarge.code, "The request body is too large.")
TIMED_OUT: Final = Refusal(
    RequestTimeout.status, RequestTimeout.code, "The request did not arrive in the time allowed."
)
TOO_MANY_CONNECTIONS: Final = Refusal(503, "ServiceUnavailable", "Too many connections are open.")
TOO_MUCH_AT_ONCE: Final = Refusal(
    503, "ServiceUnavailable", "Too many large requests arrive at the same time."
)
INTERNAL: Final = Refusal(
    InternalFailure.status, InternalFailure.code, "The request failed because of an internal error."
)


def as_response(refusal: Refusal, request_id: str) -> Response:
    """The answer that tells a client of `refusal`, in the AWS JSON 1.1 protocol's error form.

    See https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html (operation error serialization).
    """
    return Response(
        refusal.status,
        (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", request_id)),
        msgspec.json.encode({"__type": refusal.code, "message": refusal.message}),
    )
