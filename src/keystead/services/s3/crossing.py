"""What pages of other origins may do with a bucket: the answer to a preflight, and the headers of any other answer.

Source: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)", and the Fetch standard, section 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from keystead import errors
from keystead.api.rest import Exchange
from keystead.services.s3.tables import BUCKETS, Bucket
from keystead.storage import Transaction
from keystead.wire.http import Request
from keystead.wire.models import s3 as wire

CORS: Final = "cors"
"""Under what a bucket's rules are kept among its documents."""
_VARY: Final = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
_ANY: Final = "*"

Headers = list[tuple[str, str]]


def rules_of(bucket: Bucket) -> Sequence[wire.CORSRule]:
    """The bucket's rules, in their order."""
    text = bucket.documents.get(CORS)
    return () if text is None else _rules(text)


@lru_cache(1024)
def _rules(text: str) -> tuple[wire.CORSRule, ...]:
    return tuple(msgspec.json.decode(text, type=wire.CORSConfiguration).cors_rules or ())


@lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split(_ANY))), re.DOTALL)


def _named(patterns: Iterable[str], text: str) -> str | None:
    """The first of the patterns that fits; each has one wildcard at most."""
    return next((pattern for pattern in patterns if _pattern(pattern).fullmatch(text)), None)


def _found(
    rules: Iterable[wire.CORSRule], origin: str, method: str, headers: Sequence[str]
) -> tuple[wire.CORSRule, str] | None:
    """The first rule that lets such a request through, and which of its origins it is."""
    for rule in rules:
        named = _named(rule.allowed_origins or (), origin)
        allowed = [pattern.lower() for pattern in rule.allowed_headers or ()]
        if (
            named is not None
            and method in (rule.allowed_methods or ())
            and all(_named(allowed, name) is not None for name in headers)
        ):
            return rule, named
    return None


def _told(rule: wire.CORSRule, named: str, origin: str, headers: Sequence[str]) -> Headers:
    """The headers that tell a browser that it is allowed. Only who names origins lets cookies and the like through."""
    told = [("Access-Control-Allow-Origin", _ANY if named == _ANY else origin)]
    if named != _ANY:
        told.append(("Access-Control-Allow-Credentials", "true"))
    told.append(("Access-Control-Allow-Methods", ", ".join(rule.allowed_methods or ())))
    if headers:
        told.append(("Access-Control-Allow-Headers", ", ".join(headers)))
    if rule.expose_headers:
        told.append(("Access-Control-Expose-Headers", ", ".join(rule.expose_headers)))
    if rule.max_age_seconds is not None:
        told.append(("Access-Control-Max-Age", str(rule.max_age_seconds)))
    return [*told, _VARY]


def note_origin(bucket: Bucket, exchange: Exchange) -> None:
    """None; the answer to a request of a page has the headers that the bucket's rules give it, an error too."""
    origin, exchange.origin = exchange.origin, ""
    found = _found(rules_of(bucket), origin, exchange.method, ())
    if found is not None:
        exchange.headers += _told(*found, origin, ())


def preflight(tx: Transaction, request: Request, exchange: Exchange) -> Headers:
    """What a browser is told that asks whether a page may send a request.

    Raises:
        errors.MissingCorsHeader: it does not say of which origin or by which method.
        errors.CorsForbidden: the page may not.
    """
    origin = request.headers.get("origin", "")
    if not origin:
        raise errors.MissingCorsHeader("Insufficient information. Origin request header needed.")
    method = request.headers.get("access-control-request-method", "")
    if not method:
        raise errors.MissingCorsHeader("Invalid Access-Control-Request-Method: null")
    name = exchange.address.bucket
    bucket = tx.get(BUCKETS, name) if name and "\0" not in name else None
    about = {"Method": method, "ResourceType": "OBJECT" if exchange.address.key else "BUCKET"}
    if bucket is None:
        raise errors.CorsForbidden("CORSResponse: Bucket not found", about)
    if not rules_of(bucket):
        raise errors.CorsForbidden("CORSResponse: CORS is not enabled for this bucket.", about)
    asked = request.headers.get("access-control-request-headers", "")
    headers = [text for part in asked.split(",") if (text := part.strip().lower())]
    found = _found(rules_of(bucket), origin, method, headers)
    if found is None:
        raise errors.CorsForbidden(about=about)
    return _told(*found, origin, headers)
