"""Events as a Parquet table: a column for what questions are about, and the whole event beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from keystead.audit.terms import read_event
from keystead.errors import SettingsError

_ROWS: Final = 10_000
"""Events of a row group."""

COLUMNS: Final = {
    "event_time": "time",
    "event_id": "text",
    "event_source": "text",
    "event_name": "text",
    "region": "text",
    "account": "text",
    "read_only": "boolean",
    "error_code": "text",
    "principal": "text",
    "user_name": "text",
    "access_key_id": "text",
    "source_ip": "text",
    "user_agent": "text",
    "request_id": "text",
    "resources": "texts",
    "encryption_context": "text",
    "event": "text",
}
"""Column: kind. `encryption_context` is JSON (`[[name, value], …]`), `event` the whole event as recorded."""


def write_parquet(events: Iterable[bytes], file: BinaryIO) -> int:
    """How many events were written.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  large, and only this form needs it
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415  the same
    except ImportError:
        raise SettingsError("Parquet needs pyarrow: install keystead[parquet]") from None
    kinds = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "boolean": pa.bool_(),
        "time": pa.timestamp("s", tz="UTC"),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    count = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _groups(events):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def _groups(events: Iterable[bytes]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(events)
    while rows := [_row(event) for event in islice(rest, _ROWS)]:
        yield rows


def _row(payload: bytes) -> dict[str, Any]:
    event, raw = read_event(payload), msgspec.json.decode(payload)
    values = (
        event.time,
        event.eventID,
        event.eventSource,
        event.eventName,
        event.awsRegion,
        event.recipientAccountId,
        event.readOnly,
        event.errorCode or None,
        event.principal or None,
        event.user or None,
        event.userIdentity.access_key_id or None,
        raw.get("sourceIPAddress"),
        raw.get("userAgent"),
        raw.get("requestID"),
        [name for _, name in event.named],
        msgspec.json.encode(event.context).decode() if event.context else None,
        payload.decode(),
    )
    return dict(zip(COLUMNS, values, strict=True))
