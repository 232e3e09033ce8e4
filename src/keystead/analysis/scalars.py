"""Numbers, dates, addresses and bytes: texts of which no comparison with given limits tells any other apart.

The twin of `policy.scalars`: between two neighbouring limits all values are alike, so the limits themselves and
one value between each two are enough.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Final

from keystead.errors import Undecided
from keystead.policy import scalars
from keystead.policy.scalars import Address

NO_SCALAR: Final = "~"
"""A text that is neither number nor date, address, base64 or truth value."""
BOOLEANS: Final = ("true", "false")


def numbers(values: Iterable[str], known: frozenset[str] = frozenset()) -> list[str]:
    """Numbers for the limits in the values; `known` are texts that a number is not written as."""
    return [_fresh(_plain(number), known) for number in _between(map(scalars.number, values))]


def dates(values: Iterable[str], known: frozenset[str] = frozenset()) -> list[str]:
    """Dates in ISO 8601, for the limits in the values."""
    return [_fresh(_date(seconds), known) for seconds in _between(map(scalars.date, values))]


def epochs(values: Iterable[str], known: frozenset[str] = frozenset()) -> list[str]:
    """Seconds since 1970, for the limits in the values, be they dates or numbers."""
    limits = [*map(scalars.date, values)]
    return [_fresh(_epoch(seconds), known) for seconds in _between(limits)]


def addresses(values: Iterable[str]) -> list[str]:
    """Addresses of both families, for the networks in the values: the first of each stretch that is alike."""
    starts: set[Address] = {ipaddress.IPv4Address("0.0.0.0"), ipaddress.IPv6Address("::")}  # noqa: S104 - a value
    for network in (found for value in values if (found := scalars.network(value)) is not None):
        starts.add(network.network_address)
        if int(network.broadcast_address) + 1 < 1 << network.max_prefixlen:
            starts.add(network.broadcast_address + 1)
    return sorted(map(str, starts))


_MOST_DIGITS: Final = 30
"""Before and after the point; limits beyond are nobody's days, seconds or bytes."""


def _between(limits: Iterable[Decimal | None]) -> Iterator[Decimal]:
    """The limits, one value between each two, one below and one above all.

    Raises:
        Undecided: a limit has too many digits.
    """
    known = sorted({limit for limit in limits if limit is not None}) or [Decimal(1)]
    if any(
        limit and not -_MOST_DIGITS < _last_digit(limit) <= limit.adjusted() < _MOST_DIGITS for limit in known
    ):
        raise Undecided("A number or date in a policy has too many digits to analyze.")
    with localcontext() as context:
        context.prec = 4 * _MOST_DIGITS
        found = [known[0] - 1]
        for low, high in zip(known, [*known[1:], None], strict=True):
            found += [low, low + 1 if high is None or low + 1 < high else (low + high) / 2]
    yield from found


def _last_digit(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a policy's numbers are finite
    return exponent


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _epoch(seconds: Decimal) -> str:
    text = _plain(seconds)
    return f"{text}.0" if len(text) == 4 and text.isdigit() else text  # noqa: PLR2004 - four digits are a year


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _date(seconds: Decimal) -> str:
    whole = int(seconds // 1)
    fraction = _plain(seconds - whole).partition(".")[2]
    try:
        text = f"{_EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}".rjust(19, "0")
    except OverflowError:  # beyond the years that dates have: told as epoch seconds
        return _plain(seconds)
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def _fresh(text: str, known: frozenset[str]) -> str:
    """The same value, written unlike all of the known texts."""
    while text in known:
        text = _longer(text)
    return text


def _longer(text: str) -> str:
    """The same number or date with one more zero behind the point."""
    zero = "0" if "." in text else ".0"
    return f"{text[:-1]}{zero}Z" if text.endswith("Z") else f"{text}{zero}"
