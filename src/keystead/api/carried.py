"""What events tell of a request to S3 besides its struct: where it was sent, how it was signed, and how much was carried.

Source: Amazon S3 User Guide, "CloudTrail log file entries for Amazon S3" and "Monitoring default encryption with
CloudTrail": the members of `additionalEventData` there, and `Host` and the query among `requestParameters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.api.call import Call
from keystead.api.rest import Exchange, host_id
from keystead.identity.caller import ANONYMOUS
from keystead.tlog.names import event_name
from keystead.wire import sigv2

_SIGNED_URL: Final = ("X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders")
"""What is shown of a presigned URL: neither the credential nor the signature."""
_FORM: Final = "PostObject"
_APPLIED: Final = {"AES256": "SSE_S3", "aws:kms": "SSE_KMS"}
"""What events call the encryption of a new object, after `Default_` if it was the bucket's choice."""


def event_of(exchange: Exchange | None, operation: str) -> str:
    """What the call's event is called."""
    return _FORM if exchange is not None and exchange.form else event_name(operation)


def asked(exchange: Exchange | None) -> Mapping[str, str]:
    """What `requestParameters` have besides the struct's members; nothing of a call that was made in this process."""
    if exchange is None:
        return {}
    shown = {"Host": exchange.host} if exchange.host else {}
    for name in (*_fixed(exchange), *_SIGNED_URL):
        if name in exchange.query:
            shown[name] = exchange.query[name]
    return shown


def _fixed(exchange: Exchange) -> Iterator[str]:
    """The parameters that say which operation it is, such as `acl` and `list-type`."""
    if exchange.shape is not None:
        for part in filter(None, exchange.shape.query.split("&")):
            yield part.partition("=")[0]


def additional(call: Call, exchange: Exchange, request: Any, answer: Any, *, failed: bool) -> dict[str, Any]:
    """The members of `additionalEventData`. Of a call that failed nobody knows how much of its body was read."""
    shown: dict[str, Any] = dict(_signed(call, exchange))
    if not failed:
        length = 0 if exchange.payload is None else exchange.payload.length
        if length is not None:
            shown["bytesTransferredIn"] = length
        shown["bytesTransferredOut"] = exchange.sent(answer)
        applied = _applied(request, answer)
        if applied:
            shown["SSEApplied"] = applied
    shown["x-amz-id-2"] = host_id(call.request_id)
    return shown


def _signed(call: Call, exchange: Exchange) -> Iterator[tuple[str, str]]:
    if call.caller.kind != ANONYMOUS:
        yield "SignatureVersion", "SigV2" if exchange.version == sigv2.NAME else "SigV4"
        if not exchange.form:  # it has neither
            yield "AuthenticationMethod", "QueryString" if exchange.presigned else "AuthHeader"
    if call.tls is not None:
        yield "CipherSuite", call.tls[1]


def _applied(request: Any, answer: Any) -> str:
    """How a new object is encrypted, empty for what makes none; multipart uploads tell at their beginning."""
    if not hasattr(request, "server_side_encryption"):
        return ""
    if getattr(answer, "sse_customer_algorithm", None) is not None:
        return "SSE_C"
    applied = _APPLIED.get(getattr(answer, "server_side_encryption", None) or "", "")
    return f"Default_{applied}" if applied and request.server_side_encryption is None else applied
