"""Pages: a limit, a marker that only this server can make, and whether there is more.

A marker is sealed for its operation and caller's account, so a made-up one or another list's is refused.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.storage import Table

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)
_KIND = "marker"


def make_marker(call: Call, position: str, scope: str = "") -> str:
    """An opaque marker for `position`, the last row given out of the list that `scope` names."""
    sealed = call.keyring.seal_token(_KIND, position.encode(), _context(call, scope))
    return base64.urlsafe_b64encode(sealed).decode()


def read_marker(call: Call, marker: str | None, scope: str = "") -> str | None:
    """The position that `marker` stands for, None when the list starts.

    Raises:
        errors.InvalidMarker: it was not given out for this operation, account, Region and scope.
    """
    if marker is None:
        return None
    try:
        sealed = base64.urlsafe_b64decode(marker.encode("ascii"))
        return call.keyring.open_token(_KIND, sealed, _context(call, scope)).decode()
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise errors.InvalidMarker(f"Invalid marker: {marker}") from None


def page(
    call: Call, table: Table[R], prefix: str, limit: int, marker: str | None
) -> tuple[list[tuple[str, R]], str | None]:
    """Up to `limit` rows under `prefix` after `marker`, and the next marker if there are more."""
    after = read_marker(call, marker)
    rows = call.tx.scan(table, prefix, after=after, limit=limit + 1)
    if len(rows) <= limit:
        return rows, None
    rows = rows[:limit]
    return rows, make_marker(call, rows[-1][0])


def page_keys(
    call: Call, table: Table[Any], prefix: str, limit: int, marker: str | None
) -> tuple[list[str], str | None]:
    """The keys of the rows that `page` gives, and the same marker: no row is read."""
    after = read_marker(call, marker)
    found = call.tx.scan_keys(table, prefix, after=after, limit=limit + 1)
    if len(found) <= limit:
        return found, None
    return found[:limit], make_marker(call, found[limit - 1])


def page_index(
    call: Call, table: Table[R], index: str, prefix: str, *, limit: int, marker: str | None
) -> tuple[list[R], str | None]:
    """The same for the rows that an index of the table finds under `prefix`."""
    position = read_marker(call, marker, prefix)
    after = None
    if position is not None:
        rest, _, where = position.partition("\0")
        after = (prefix + rest, where)
    found = call.tx.scan_index(table, index, prefix, after=after, limit=limit + 1)
    more, found = len(found) > limit, found[:limit]
    rows = [row for _, where in found if (row := call.tx.get(table, where)) is not None]
    if not more:
        return rows, None
    # Only what follows the prefix: a marker has at most 1,024 characters.
    text, where = found[-1]
    return rows, make_marker(call, f"{text[len(prefix) :]}\0{where}", prefix)


def page_list(
    call: Call, items: list[T], limit: int, marker: str | None, scope: str
) -> tuple[list[T], str | None]:
    """The same for a list that is complete in memory, of what `scope` names; the position is an index into it."""
    start = int(read_marker(call, marker, scope) or 0)
    rows = items[start : start + limit]
    end = start + limit
    return rows, make_marker(call, str(end), scope) if end < len(items) else None


def _context(call: Call, scope: str) -> str:
    return f"{call.operation}\0{call.account}\0{call.region}\0{scope}"
