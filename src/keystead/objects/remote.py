"""Blobs in an S3-compatible store, Google Cloud Storage or Azure Blob Storage, through `obstore`.

A small blob is one request. A large one is a multipart upload, which becomes visible when its last request is done; what
a broken-off one leaves behind is removed by the store's own rule for incomplete uploads. Reads are requests of bounded
size, so that a time limit can stand on each of them, however large the blob is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from keystead.crypto.frames import Buffer
from keystead.errors import BlobError, BlobMissing, BlobsUnavailable, BlobTruncated
from keystead.objects.blobs import NAME, Stored, check_name
from keystead.objects.pieces import Cutter

if TYPE_CHECKING:
    from obstore.store import ObjectStore

REQUEST_BYTES: Final = 8 * 1024 * 1024
"""A blob has at most 10,000 of these in S3: 78 GiB, and S3's own largest part is 5 GiB."""
_UPLOADS: Final = 2
"""Requests of one upload that run at a time: this many and one more are in memory."""


class RemoteBlobs:
    """A `Blobs` in `store`, whose client makes retries and sets the time limit of each request."""

    def __init__(self, store: ObjectStore) -> None:
        import obstore  # noqa: PLC0415  15 MB that only those load who use it

        self._obstore = obstore
        self._store = store

    def put(self, name: str, chunks: Iterable[Buffer]) -> int:
        upload = _Upload(chunks)
        first = upload.take()
        try:
            self._send(check_name(name), first, upload)
        except BaseException:
            if upload.failed is not None:  # as it was raised, whatever the client makes of it
                raise upload.failed from None
            raise
        return upload.size

    def _send(self, name: str, first: Buffer, upload: _Upload) -> None:
        with _told():
            if len(first) < REQUEST_BYTES:
                self._obstore.put(self._store, name, first, use_multipart=False)
            else:
                self._obstore.put(
                    self._store,
                    name,
                    upload.following(first),
                    use_multipart=True,
                    chunk_size=REQUEST_BYTES,
                    max_concurrency=_UPLOADS,
                )

    def read(self, name: str, start: int, length: int) -> Iterator[bytes]:
        check_name(name)
        for offset in range(start, start + length, REQUEST_BYTES):
            wanted = min(REQUEST_BYTES, start + length - offset)
            piece = self._range(name, offset, wanted)
            if len(piece) < wanted:
                raise BlobTruncated("the blob ends before what was asked for")
            yield piece

    def _range(self, name: str, start: int, length: int) -> bytes:
        try:
            with _told():
                return bytes(self._obstore.get_range(self._store, name, start=start, length=length))
        except BlobsUnavailable:
            # A range that starts behind the end is refused in a way that only the size explains.
            with _told():
                size = self._obstore.head(self._store, name)["size"]
            if size < start + length:
                raise BlobTruncated("the blob ends before what was asked for") from None
            raise

    def delete(self, name: str) -> None:
        check_name(name)
        try:
            with _told():
                self._obstore.delete(self._store, name)
        except BlobMissing:
            return

    def stored(self) -> Iterator[Stored]:
        with _told():
            for group in self._obstore.list(self._store):
                for entry in group:
                    if NAME.fullmatch(entry["path"]):
                        yield Stored(entry["path"], entry["size"], entry["last_modified"].timestamp())

    def sweep(self, name: str) -> None:
        """None; what is incomplete is the store's own to remove, and is not listed."""

    def close(self) -> None:
        """None; connections end with the client."""


class _Upload:
    """A body cut into requests; it remembers its size, and what its source raised."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._cutter = Cutter(chunks, REQUEST_BYTES)
        self.size = 0
        self.failed: BaseException | None = None

    def take(self) -> Buffer:
        try:
            piece = self._cutter.take(REQUEST_BYTES)
        except BaseException as error:
            self.failed = error
            raise
        self.size += len(piece)
        return piece

    def following(self, first: Buffer) -> Iterator[Buffer]:
        while first:
            yield first
            first = self.take()


@contextmanager
def _told() -> Iterator[None]:
    """A block whose failures are those of `Blobs`; they name their kind alone, since their words quote requests."""
    try:
        yield
    except BlobError:
        raise
    except FileNotFoundError:
        raise BlobMissing("the store has no such blob") from None
    except Exception as error:  # the client has many, some of them built-in
        if _is_of_the_client(error):
            raise BlobsUnavailable(f"the store of objects failed: {type(error).__name__}") from None
        raise


def _is_of_the_client(error: Exception) -> bool:
    from obstore.exceptions import BaseError  # noqa: PLC0415  as above

    return isinstance(error, (BaseError, OSError, ValueError))
