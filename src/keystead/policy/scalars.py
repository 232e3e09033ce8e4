"""What condition values mean when they are not text: numbers, dates, booleans, bytes, addresses.

Each function returns None for a text that has no such meaning.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
# W3C profile of ISO 8601 (NOTE-datetime); a time without zone is read as UTC.
_DATE: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d+)?)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d))?)?)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = 128  # characters; bounds the work that a context value can ask for


def number(text: str) -> Decimal | None:
    """The decimal number."""
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=1024)
def date(text: str) -> Decimal | None:
    """Seconds since 1970-01-01T00:00:00Z of an ISO 8601 date or of epoch seconds.

    Four digits are a year: the epoch's first seconds are nobody's date.
    """
    if len(text) > _LONGEST:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        return number(text)
    parts = {name: int(found[name] or default) for name, default in _DATE_DEFAULTS.items()}
    zone = parts.pop("zone_hour") * 3600 + parts.pop("zone_minute") * 60
    try:
        whole = datetime(**parts, tzinfo=UTC) - _EPOCH
    except ValueError:
        return None
    offset = -zone if found["sign"] == "-" else zone
    return Decimal(whole.days * 86400 + whole.seconds - offset) + Decimal(found["fraction"] or 0)


_DATE_DEFAULTS: Final = {
    "year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "zone_hour": 0, "zone_minute": 0,
}  # fmt: skip


def boolean(text: str) -> bool | None:
    """True or False, in any case."""
    return {"true": True, "false": False}.get(text.lower())


def binary(text: str) -> bytes | None:
    """The bytes of base64 text (RFC 4648 section 4)."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=1024)
def address(text: str) -> Address | None:
    """The IPv4 or IPv6 address, in any of its notations."""
    try:
        return ipaddress.ip_address(text) if "%" not in text else None  # zones mean nothing in policies
    except ValueError:
        return None


def network(text: str) -> Network | None:
    """The network of a CIDR text; host bits are ignored, without prefix length it is one address."""
    base, slash, length = text.partition("/")
    if "%" in base or (slash and not (length.isascii() and length.isdigit())):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
