"""What can be wrong with the sealed bytes of an object, or with the store that keeps them."""

from __future__ import annotations

from keystead.errors.own import OperatorError


class BlobError(OperatorError):
    """The backing store did not keep or give back a blob. Messages never hold bytes of it, nor an object's name."""


class BlobsUnavailable(BlobError):
    """The store failed, refused or took too long; asking again may help. What was put may be there or not."""


class BlobsFull(BlobsUnavailable):
    """The store has no room left; nothing of the blob is there."""


class BlobMissing(BlobError):
    """The store has no blob of that name."""


class BlobTruncated(BlobError):
    """The store gave fewer bytes than the blob has."""


class BlobDamaged(BlobError):
    """The store gave bytes that were not sealed at that place of that blob."""


class BlobForeign(BlobDamaged):
    """The blob belongs to another object, version or part, or to another key: its commitment is not the one."""
