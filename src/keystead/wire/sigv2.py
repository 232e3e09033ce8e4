"""AWS Signature Version 2, of URLs that are good for one object for a while and of forms, and of nothing else.

Some SDKs still sign so unless they are told otherwise. It covers method, path, some parameters, Content-MD5, Content-Type and
all `x-amz-` fields, but not the other parameters: with one of those a request would be another one than was signed, so
none is taken. Source: Amazon S3 User Guide, "Signing and authenticating REST requests" (Signature Version 2).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import msgspec

from keystead.errors import InvalidSignature, S3AccessDenied
from keystead.wire.address import Address
from keystead.wire.http import Request
from keystead.wire.signing import Claim, Scope
from keystead.wire.sigv4 import MISMATCH
from keystead.wire.uri import path_label

NAME: Final = "AWS"
"""What conditions call it."""
LONGEST: Final = 604_800
"""Seconds (a week) that a URL may still be good for, as with version 4."""
_MARK: Final = re.compile(r"(?:^|&)AWSAccessKeyId=")
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_AUTHENTICATION: Final = ("AWSAccessKeyId", "Signature", "Expires")
_HEADERS: Final = ("content-md5", "content-type")
_AMAZON: Final = "x-amz-"
_RESOURCE: Final = frozenset(
    {
        "partNumber",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "uploadId",
        "versionId",
    }
)
_COPY: Final = "x-amz-copy-source"
_INCOMPLETE: Final = (
    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
)
_OTHER: Final = "A URL that is signed by version 2 is good for reading, writing or deleting one object only; use AWS4-HMAC-SHA256."


def presigned(request: Request) -> bool:
    """Whether the request claims to come by such a URL."""
    return _MARK.search(request.query) is not None


def told_in_headers(request: Request) -> Request:
    """The request with what its URL says instead of headers as headers, if it is one of version 2: they are signed alike.

    A header that the request has itself counts; if it says something else, the signature does not match.
    """
    if not presigned(request):
        return request
    headers = dict(request.headers)
    for name, value in _fields(request):
        if _is_a_header(name):
            headers.setdefault(name.lower(), (value or "").strip())
    return msgspec.structs.replace(request, headers=headers)


def parse(request: Request, region: str) -> Claim:
    """What the URL claims; such URLs name no Region, so it is `region`.

    Raises:
        S3AccessDenied: something is missing, or this is about more than an object.
    """
    fields = dict(_fields(request))
    access_key_id, signature, expires = (fields.get(name) or "" for name in _AUTHENTICATION)
    if not (access_key_id and signature and expires.isascii() and expires.isdigit() and len(expires) < 16):  # noqa: PLR2004  a number that fits
        raise S3AccessDenied(_INCOMPLETE)
    if request.method not in _METHODS or _COPY in request.headers:
        raise S3AccessDenied(_OTHER)
    scope = Scope(access_key_id, "", region, "s3", (), "")
    return Claim(
        scope, signature, expires, int(expires), None, request.headers.get("x-amz-security-token") or None
    )


def parse_form(fields: Mapping[str, str], region: str) -> Claim | None:
    """What a form claims whose policy is signed so, None if it is not; names are in lower case."""
    access_key_id, signature = fields.get("awsaccesskeyid"), fields.get("signature")
    if access_key_id is None or signature is None:
        return None
    scope = Scope(access_key_id, "", region, "s3", (), "")
    return Claim(scope, signature, "", 0, None, fields.get("x-amz-security-token"))


def check_time(claim: Claim, now: float) -> None:
    """None, if the URL is still good, and not for too long.

    Raises:
        S3AccessDenied: it is not.
    """
    if claim.time < now:
        raise S3AccessDenied("Request has expired")
    if claim.time > now + LONGEST:
        raise S3AccessDenied(f"Expires must be less than {LONGEST} seconds from now")


def string_to_sign(request: Request, address: Address) -> str:
    """What the signature is of; `address` is the request's.

    Raises:
        S3AccessDenied: it is not about an object.
        InvalidSignature: something in its URL is not covered by a signature.
    """
    if not (address.bucket and address.key):
        raise S3AccessDenied(_OTHER)
    headers, fields = request.headers, _fields(request)
    names = [name.lower() for name, _ in fields]
    if len(set(names)) < len(names) or not all(_is_covered(name) for name, _ in fields):
        raise InvalidSignature(MISMATCH)
    amazon = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith(_AMAZON))
    resource = "&".join(
        name if value is None else f"{name}={value}" for name, value in sorted(fields) if name in _RESOURCE
    )
    lines = (request.method, headers.get("content-md5", ""), headers.get("content-type", ""))
    expires = str(dict(fields)["Expires"])
    path = _path(request, address)
    return "\n".join((*lines, expires, f"{amazon}{path}{'?' if resource else ''}{resource}"))


def matches(secret: str, text: str, signature: str) -> bool:
    """Whether `signature` is that of `text` (HMAC-SHA1, RFC 2104, which nobody is known to forge)."""
    expected = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()
    return signature.isascii() and hmac.compare_digest(expected, signature)


def _is_covered(name: str) -> bool:
    """Whether the signature depends on a parameter of this name."""
    return name in _RESOURCE or name in _AUTHENTICATION or _is_a_header(name)


def _is_a_header(name: str) -> bool:
    return name.lower().startswith(_AMAZON) or name.lower() in _HEADERS


def _path(request: Request, address: Address) -> str:
    """The path as it was sent, with the bucket before it if the host names the bucket: then the path is the key alone."""
    path = request.path
    by_host = path_label(path.removeprefix("/")) == address.key
    return f"/{address.bucket}{path}" if by_host else path


def _fields(request: Request) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for field in filter(None, request.query.split("&")):
        name, equals, value = field.partition("=")
        found.append((unquote(name), unquote(value) if equals else None))
    return found
