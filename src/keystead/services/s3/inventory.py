"""Which blobs the records name, and how large each must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keystead.objects import sealed_size
from keystead.services.s3.garbage import GARBAGE
from keystead.services.s3.tables import OBJECTS, PARTS, UPLOADS, VERSIONS, Envelope, split_place
from keystead.storage import Store, Table
from keystead.storage.table import R

_PAGE: Final = 1000


def named_blobs(store: Store) -> dict[str, int | None]:
    """The size of each blob that a record names; None of one that is noted for deletion, which may be gone.

    Raises:
        errors.StorageError: the store cannot be read.
    """
    named: dict[str, int | None] = {note.blob: None for _, note in _rows(store, GARBAGE) if not note.inline}
    for table in (OBJECTS, VERSIONS):
        for _, version in _rows(store, table):
            layers = layers_of(version.envelope)
            named |= {
                piece.blob: sealed_size(piece.size, layers) for piece in version.pieces if not piece.inline
            }
    uploads = {split_place(place)[1]: layers_of(upload.envelope) for place, upload in _rows(store, UPLOADS)}
    for place, part in _rows(store, PARTS):
        known = uploads.get(place.partition("/")[0])
        named[part.blob] = None if known is None else sealed_size(part.size, known)
    return named


def layers_of(envelope: Envelope) -> int:
    """How many layers of encryption a version's blobs have."""
    return 2 if envelope.outer else 1


def _rows(store: Store, table: Table[R]) -> Iterator[tuple[str, R]]:
    """All records, each page read by a transaction of its own: what changes meanwhile is read or not."""
    after: str | None = None
    while rows := store.transaction().scan(table, "", after=after, limit=_PAGE):
        yield from rows
        after = rows[-1][0]
