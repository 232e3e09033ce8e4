"""Pages as IAM gives them: MaxItems, a marker that only this server can make, and whether there is more.

A marker is sealed for its operation and the caller's account, so a made-up one or another list's is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.directory import NAMES
from keystead.storage import Table

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)

_KIND: Final = "iam-marker"
_PAGE: Final = 100
"""Entries where the request does not say (IAM API Reference, MaxItems)."""
_BATCH: Final = 100

Rows = Callable[[str | None], Iterable[tuple[str, T]]]
"""Positions and entries of a list, in order, from the one after a position on; read as far as needed."""


def page(call: Call, request: Any, rows: Rows[T], scope: str = "") -> tuple[list[T], str | None]:
    """One page of a list, as `request.marker` and `request.max_items` ask, and the marker of the next if any.

    `scope` names the list where one operation has several (a group's members): a marker is good for one.

    Raises:
        errors.Validation: the marker was not given out for this list.
    """
    limit = request.max_items or _PAGE
    found = list(islice(rows(_read(call, request.marker, scope)), limit + 1))
    more, found = len(found) > limit, found[:limit]
    return [entry for _, entry in found], _make(call, found[-1][0], scope) if more else None


def page_list(call: Call, request: Any, items: Sequence[T], scope: str = "") -> tuple[list[T], str | None]:
    """The same for a list that is complete in memory; positions are indexes into it."""

    def rows(after: str | None) -> Iterator[tuple[str, T]]:
        start = 0 if after is None else int(after) + 1
        return ((str(index), items[index]) for index in range(start, len(items)))

    return page(call, request, rows, scope)


def page_of_names(
    call: Call,
    request: Any,
    kind: str,
    table: Table[R],
    *,
    want: Callable[[R], bool] = lambda _entity: True,
) -> tuple[list[R], str | None]:
    """The same for the account's users, groups or roles that are wanted, by name."""
    return page(call, request, lambda after: named_rows(call, kind, table, after, want))


def named_rows(
    call: Call,
    kind: str,
    table: Table[R],
    after: str | None = None,
    want: Callable[[R], bool] = lambda _entity: True,
) -> Iterator[tuple[str, R]]:
    """The lower-case names and the records of an account's users, groups or roles, in order of names."""
    prefix = f"{kind}/{call.account}/"
    place = None if after is None else prefix + after
    while True:
        names = call.tx.scan(NAMES, prefix, after=place, limit=_BATCH)
        for place, name in names:
            entity = call.tx.get(table, f"{call.account}/{name.id}")
            if entity is not None and want(entity):
                yield place[len(prefix) :], entity
        if len(names) < _BATCH:
            return


def under(request: Any) -> Callable[[Any], bool]:
    """Whether an entity's path begins with `request.path_prefix`."""
    prefix = request.path_prefix or "/"

    def is_under(entity: Any) -> bool:
        path: str = entity.path
        return path.startswith(prefix)

    return is_under


def _make(call: Call, position: str, scope: str) -> str:
    sealed = call.keyring.seal_token(_KIND, position.encode(), _context(call, scope))
    return base64.urlsafe_b64encode(sealed).decode()


def _read(call: Call, marker: str | None, scope: str) -> str | None:
    if marker is None:
        return None
    try:
        sealed = base64.urlsafe_b64decode(marker.encode("ascii"))
        return call.keyring.open_token(_KIND, sealed, _context(call, scope)).decode()
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise errors.Validation("Invalid Marker.") from None


def _context(call: Call, scope: str) -> str:
    return f"{call.operation}\0{call.account}\0{scope}"
