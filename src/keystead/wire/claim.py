"""What a signed request says of itself, read without believing any of it.

Two forms: the Authorization header, and the query of a presigned URL. What repeats from request
to request (scope, date) is parsed once and remembered. Wording is AWS's; sources: IAM User Guide,
"AWS Signature Version 4" and "Troubleshoot signed requests".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from keystead.errors import ApiError, IncompleteSignature, InvalidSignature, MissingAuthenticationToken
from keystead.wire.canonical import form_of
from keystead.wire.http import Request
from keystead.wire.signing import Claim, Scope

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
LONGEST = 604_800  # seconds (a week) that a presigned request may live
UNSTATED = 900  # seconds that one lives which does not say; some SDKs leave X-Amz-Expires out

_BOTH = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
_NO_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
_QUERY_FIELDS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
)
_MEMOISED = 512  # entries, and characters of the longest: what strangers can fill stays small
_SCOPES = 4096  # of as many callers; strangers can fill 4 MiB


def signed(request: Request) -> bool:
    """Whether the request claims to be signed, in either form."""
    return "authorization" in request.headers or "X-Amz-" in request.query


def parse(request: Request) -> Claim:
    """What the request claims, from its Authorization header or its query.

    Raises:
        MissingAuthenticationToken: it claims nothing.
        IncompleteSignature: something is missing or malformed.
        InvalidSignature: it claims twice, or its scope does not end as it must.
    """
    headers, target = request.headers, request.target
    authorization = headers.get("authorization")
    if authorization is None:
        return _parse_query(request)
    if "X-Amz-Algorithm=" in target:
        raise InvalidSignature(_BOTH)
    date = headers.get("x-amz-date")
    time = None if date is None else _epoch(date)
    head, mark, given = authorization.rpartition(", Signature=")
    if date is not None and time is not None and mark and len(given) == 64 and "," not in given:  # noqa: PLR2004
        scope = _memoised_scope(head) if len(head) <= _MEMOISED else _scope_of(head)
        if scope is not None:
            return Claim(scope, given, date, time, None, headers.get("x-amz-security-token"))
    return _parse_slowly(authorization, headers)


def _parse_slowly(authorization: str, headers: Mapping[str, str]) -> Claim:
    """The claim of a header that no SDK writes, or the reason why there is none."""
    algorithm, _, rest = authorization.strip().partition(" ")
    fields = _pairs(rest, authorization)
    date = headers.get("x-amz-date") or _from_http_date(headers.get("date", ""))
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not fields.get(name)
    ]
    missing += [] if date else [_NO_DATE]
    if missing:
        raise IncompleteSignature(f"{' '.join(missing)} {_hashed('Hashed', authorization)}")
    time = _known_time(date)
    _check_algorithm(algorithm)
    scope = _scope(fields["Credential"], fields["SignedHeaders"])
    return Claim(scope, fields["Signature"], date, time, None, headers.get("x-amz-security-token"))


def _pairs(text: str, authorization: str) -> dict[str, str]:
    """The `name=value` parts of an Authorization header."""
    fields: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise IncompleteSignature(
                "Invalid key=value pair (missing equal-sign) in Authorization header "
                f"(hashed with SHA-256 and encoded with Base64): '{_digest(authorization)}'."
            )
        if name in fields:
            raise IncompleteSignature(f"Authorization header has more than one '{name}' parameter.")
        fields[name] = value
    return fields


def _parse_query(request: Request) -> Claim:
    """The claim of a presigned request."""
    fields: dict[str, str] = {}
    for field in request.query.split("&"):
        name, _, value = field.partition("=")
        if name.startswith("X-Amz-"):
            if name in fields:
                raise IncompleteSignature(f"AWS query-string parameters have more than one '{name}'.")
            fields[name] = unquote(value)
    if not fields.keys() & set(_QUERY_FIELDS):
        raise MissingAuthenticationToken("Request is missing Authentication Token")
    missing = [
        f"AWS query-string parameters must include '{name}'."
        for name in _QUERY_FIELDS
        if not fields.get(name)
    ]
    if missing:
        raise IncompleteSignature(f"{' '.join(missing)} Re-examine the query-string parameters.")
    date = fields["X-Amz-Date"]
    time = _known_time(date)
    _check_algorithm(fields["X-Amz-Algorithm"])
    scope = _scope(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"])
    token = fields.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token")
    return Claim(scope, fields["X-Amz-Signature"], date, time, _lifetime(fields.get("X-Amz-Expires")), token)


def _lifetime(text: str | None) -> int:
    if text is None:
        return UNSTATED
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST)) else 0
    if not 1 <= seconds <= LONGEST:
        raise IncompleteSignature(f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST}.")
    return seconds


def _check_algorithm(algorithm: str) -> None:
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm}' (only {ALGORITHM} for now). ")


def _scope(credential: str, signed_headers: str) -> Scope:
    parts = credential.split("/")
    if len(parts) != 5:  # noqa: PLR2004 -- the message says it
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'"
        )
    if parts[4] != TERMINATOR:
        raise InvalidSignature(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{parts[4]}'."
        )
    access_key_id, day, region, service, _ = parts
    names = tuple(signed_headers.split(";"))
    return Scope(access_key_id, day, region, service, names, "/".join(parts[1:]), form_of(names))


def _scope_of(head: str) -> Scope | None:
    """The scope in an Authorization header up to its signature; None if it is not written as SDKs do."""
    algorithm, _, rest = head.partition(" ")
    parts = [part.strip() for part in rest.split(",")]
    if algorithm != ALGORITHM or [part.partition("=")[0] for part in parts] != [
        "Credential",
        "SignedHeaders",
    ]:
        return None
    try:
        return _scope(*(part.partition("=")[2] for part in parts))
    except ApiError:
        return None


_memoised_scope = lru_cache(maxsize=_SCOPES)(_scope_of)


@lru_cache(maxsize=_MEMOISED)
def _epoch(date: str) -> int | None:
    """Epoch seconds of `YYYYMMDDTHHMMSSZ`; None for anything else."""
    digits = date[:8] + date[9:15]
    if len(date) != 16 or date[8] != "T" or date[15] != "Z" or not (digits.isascii() and digits.isdigit()):  # noqa: PLR2004 -- that form's length
        return None
    try:
        return int(datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _known_time(date: str) -> int:
    time = _epoch(date)
    if time is None:
        raise IncompleteSignature(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    return time


def _from_http_date(text: str) -> str:
    """A Date header (RFC 9110 section 5.6.7) in ISO 8601's basic form; as it is if it is none."""
    try:
        time = parsedate_to_datetime(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return text


def _hashed(verb: str, authorization: str) -> str:
    return f"({verb} with SHA-256 and encoded with Base64) Authorization={_digest(authorization)}"


def _digest(text: str) -> str:
    """A header's hash, which is told instead of it: it holds a signature."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest()).decode()
