"""Owns the bytes of objects: the sealed form in which they leave the process, and the stores that keep them.

Objects become streams of authenticated frames (`seal`), which stores keep under random names (`blobs`). Stores are not
trusted: what comes back is verified before it is given on. Refuses to know buckets' settings, who may read what,
where data keys come from and which blobs are an object's: that is `services/s3`'s business, in records of `storage`.
"""

from keystead.objects.blobs import Blobs, Stored, new_name
from keystead.objects.directory import DirectoryBlobs
from keystead.objects.memory import MemoryBlobs
from keystead.objects.scrub import Findings, compare
from keystead.objects.seal import ObjectKey, Place, Read, seal, sealed_size, unseal
from keystead.objects.stores import STORES, open_blobs

__all__ = [
    "STORES",
    "Blobs",
    "DirectoryBlobs",
    "Findings",
    "MemoryBlobs",
    "ObjectKey",
    "Place",
    "Read",
    "Stored",
    "compare",
    "new_name",
    "open_blobs",
    "seal",
    "sealed_size",
    "unseal",
]
