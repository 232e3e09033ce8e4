"""What the service stores: buckets, versions of objects, and uploads that are under way.

The newest version of a key has its record at the bucket and the key, so that listing is reading on; older ones are
kept apart, newest first. None of these records holds bytes of an object: those are blobs, named in `Piece`, or of small
objects the sealed bytes in a table of their own.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from keystead.storage import Table, Transaction
from keystead.storage.write import COUNTERS

NULL: Final = "null"
MOST_PARTS: Final = 10_000
"""Parts of an upload, and the greatest number of one."""
"""The version id of what was put while the bucket was not versioned."""
_MARK: Final = "\x01"
"""Between a key and a version's stamp."""


class PublicAccess(msgspec.Struct, frozen=True):
    """A bucket's public access block."""

    block_acls: bool = True
    ignore_acls: bool = True
    block_policy: bool = True
    restrict: bool = True


class DefaultEncryption(msgspec.Struct, frozen=True):
    """How objects are encrypted whose requests do not say: an algorithm as headers write it, and a KMS key."""

    algorithm: str = "AES256"
    key: str = ""
    bucket_key: bool = False
    customer_keys: bool = False
    """Whether callers may bring keys of their own (SSE-C)."""


class Lock(msgspec.Struct, frozen=True):
    """Object Lock of a bucket, and for how long new versions are retained that do not say; no mode: not at all."""

    mode: str = ""
    days: int = 0
    years: int = 0


class Protection(msgspec.Struct, frozen=True):
    """What keeps a version from being deleted: a retention until epoch seconds, and a legal hold (ON, OFF or never set)."""

    mode: str = ""
    until: float = 0.0
    hold: str = ""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket; `created` is in epoch seconds. `documents` are settings that are kept as they came, in JSON.

    `id` is under what its objects are stored: another bucket of the same name later has another.
    """

    name: str
    id: str
    account: str
    region: str
    created: float
    versioning: str = ""
    policy: str = ""
    bound: tuple[tuple[str, str], ...] = ()
    tags: dict[str, str] = {}
    public_access: PublicAccess | None = PublicAccess()
    ownership: str = "BucketOwnerEnforced"
    encryption: DefaultEncryption = DefaultEncryption()
    documents: dict[str, str] = {}
    lock: Lock | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:s3:::{self.name}"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data key of a version comes from.

    Attributes:
        algorithm: as headers write it; empty for a key of the caller's.
        wrapped: the data key, wrapped; of two layers the inner one.
        key: the ARN of the KMS key.
        context: the encryption context that it was wrapped with.
        bucket_key: it is derived from a key for the whole bucket, which is what `wrapped` holds.
        sealed: the data key, sealed with what the bucket's key makes, if it was there before that key was chosen.
        salt: what a derived or a caller's key is told apart by.
        check: what tells whether a caller's key is the same again; not the key, nor a plain hash of it.
        key_md5: what the caller said of its key, which it is told again.
        own: the id of S3's own key's material, under which `wrapped` or `outer` is; see `ownkey`.
    """

    algorithm: str
    wrapped: bytes = b""
    outer: bytes = b""
    key: str = ""
    context: dict[str, str] = {}
    bucket_key: bool = False
    sealed: bytes = b""
    salt: bytes = b""
    check: bytes = b""
    key_md5: str = ""
    own: str = ""

    def __repr__(self) -> str:
        return f"<Envelope {self.algorithm}>"


class Piece(msgspec.Struct, frozen=True):
    """One sealed stream of an object: the blob's name, the bytes in it, and its part number (0: there is one).

    With `inline` it is no blob: the record `INLINE` of that name holds the stream.
    """

    blob: str
    size: int
    part: int = 0
    checksum: str = ""
    inline: bool = False


class Inline(msgspec.Struct, frozen=True):
    """The sealed stream of a small object."""

    sealed: bytes

    def __repr__(self) -> str:
        return f"<Inline {len(self.sealed)} bytes>"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object.

    Attributes:
        id: the version id.
        stamp: orders the versions of a key, newest first.
        place: what its pieces are sealed to, besides bucket and key: no two uploads have the same.
        marker: nothing but the mark that the object was deleted.
        modified: epoch seconds.
        headers: what GetObject answers with, e.g. `content-type`.
        checksum: by algorithm, in base64; `whole` tells whether it is of the whole object.
    """

    id: str
    stamp: str
    place: str = ""
    marker: bool = False
    modified: float
    size: int = 0
    etag: str = ""
    pieces: tuple[Piece, ...] = ()
    envelope: Envelope = Envelope(algorithm="AES256")
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    checksum: dict[str, str] = {}
    whole: bool = True
    multipart: bool = False
    protection: Protection = Protection()


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload in parts that is under way; what the object will have is decided when it begins."""

    id: str
    bucket: str
    key: str
    begun: float
    envelope: Envelope
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    algorithm: str = ""
    checksum_type: str = ""
    initiator: str = ""
    protection: Protection = Protection()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part that has arrived; `md5` is of its bytes where the ETag is made of them."""

    number: int
    blob: str
    size: int
    etag: str
    modified: float
    checksum: dict[str, str] = {}


BUCKETS: Table[Bucket] = Table("s3_bucket", Bucket, {"account": lambda _name, bucket: (bucket.account,)})
"""The bucket's name; an index by account."""

OBJECTS: Table[Version] = Table("s3_object", Version)
"""The newest version, unless it is a delete marker: the bucket's id/key. (In older stores it may be one.)"""

MARKERS: Table[Version] = Table("s3_marker", Version)
"""The newest version where it is a delete marker, by the same key: what lists objects passes none. A key is in one of both."""

VERSIONS: Table[Version] = Table("s3_version", Version)
"""The older ones: the bucket's id/key, the mark, stamp"""

UPLOADS: Table[Upload] = Table("s3_upload", Upload)
"""the bucket's id/key, the mark, upload id"""

PARTS: Table[Part] = Table("s3_part", Part)
"""upload id/part number (5 digits)"""

# Bytes have no event of their own: the version's record has, and nothing but its data key opens them.
INLINE: Table[Inline] = Table("s3_inline", Inline, evident=False, remembered=False)
"""The name that a blob would have."""


class Change(Protocol):
    """What a change is made in: a call, or work that has fallen due."""

    @property
    def tx(self) -> Transaction: ...

    @property
    def now(self) -> float: ...


def arrive(call: Change, bucket: str) -> None:
    """None; something of the bucket with this id begins to be, which a simultaneous deletion of the bucket must see.

    Scans are no conditions of a commit, so a counter is: arrivals move it without conflicts among themselves.
    """
    call.tx.bump(_arrivals(bucket), 1)


def expect_no_arrival(call: Change, bucket: str) -> None:
    """None; from now until the commit nothing of the bucket may `arrive`, or the call runs again. The count is dropped."""
    call.tx.get(COUNTERS, _arrivals(bucket))
    call.tx.delete(COUNTERS, _arrivals(bucket))


def _arrivals(bucket: str) -> str:
    return f"s3_arrivals/{bucket}"


def object_place(bucket: str, key: str) -> str:
    """The key of the newest version's record: ids of buckets hold no slash."""
    return f"{bucket}/{key}"


def version_place(bucket: str, key: str, stamp: str) -> str:
    """The key of an older version's record, or of an upload's by its id."""
    return object_place(bucket, join_place(key, stamp))


def join_place(key: str, stamp: str) -> str:
    """The same without its bucket."""
    return f"{key}{_MARK}{stamp}"


def split_place(place: str) -> tuple[str, str]:
    """The object's key and the stamp (or upload id), of the key of such a record without its bucket."""
    key, _, stamp = place.rpartition(_MARK)
    return key, stamp


def part_place(upload: str, number: int) -> str:
    """The key of a part's record."""
    return f"{upload}/{number:05d}"
