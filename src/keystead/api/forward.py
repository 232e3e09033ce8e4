"""Services that call with a caller's permissions (forward access sessions).

A registered service signs its call with its own access key and sends along, in a signed header, the
request that its caller signed *for it*. The caller's signature is verified here, against the time and the
service that it was made for, so a service can act only for those who have just asked it to, and a client
that merely claims to be a service gets nothing. What policies then see of the service (`kms:ViaService`,
`aws:CalledVia`) is said by the server alone.

Source: IAM User Guide, "Forward access sessions".
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from keystead import errors
from keystead.wire.http import Request

FORWARDED: Final = "x-keystead-forwarded-request"
"""The caller's signed request: base64 of the JSON of `ForwardedRequest`."""
SOURCE_ARN: Final = "x-keystead-source-arn"
SOURCE_ACCOUNT: Final = "x-keystead-source-account"
HEADERS: Final = (FORWARDED, SOURCE_ARN, SOURCE_ACCOUNT)
"""Only a service's own signature makes these count."""

DEEPEST: Final = 3
"""Services that may stand between a caller and the service that is called."""


class ForwardedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request as its caller sent it to the service, its body replaced by its hash.

    Attributes:
        method: e.g. `PUT`.
        target: path and query as sent, e.g. `/bucket/key?versionId=1`.
        headers: at least those that are signed, by lower-case name.
        payload: what stood for the body when it was signed: its SHA-256 in hex, or what the header
            `x-amz-content-sha256` said.
    """

    method: str
    target: str
    headers: dict[str, str]
    payload: str


_decode = msgspec.json.Decoder(ForwardedRequest).decode
_encode = msgspec.json.Encoder().encode


def write_forwarded(forwarded: ForwardedRequest) -> str:
    """The value of the header `FORWARDED`."""
    return base64.b64encode(_encode(forwarded)).decode()


def read_forwarded(text: str, carrier: Request) -> tuple[Request, str]:
    """The caller's request, as one that came to this server, and what stands for its body.

    Raises:
        errors.IncompleteSignature: the header does not hold a request.
    """
    try:
        forwarded = _decode(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise errors.IncompleteSignature(f"The header {FORWARDED} does not hold a request.") from None
    headers = {name.lower(): value for name, value in forwarded.headers.items()}
    request = Request(forwarded.method, forwarded.target, headers, b"", carrier.peer, carrier.secure)
    return request, forwarded.payload


def check_signed(request: Request, signed: tuple[str, ...]) -> None:
    """Return if every header of `HEADERS` that the request has is covered by its signature.

    Raises:
        errors.InvalidSignature: one is not.
    """
    for name in HEADERS:
        if name in request.headers and name not in signed:
            raise errors.InvalidSignature(
                f"There were headers present in the request which were not signed: {name}"
            )
