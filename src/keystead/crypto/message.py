"""What is signed: a message to be hashed, or a digest that never is."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import HashAlgorithm

from keystead.errors import BadDigestLength

RAW = "RAW"
DIGEST = "DIGEST"
EXTERNAL_MU = "EXTERNAL_MU"


def hashing(message: bytes, message_type: str, algorithm: HashAlgorithm) -> HashAlgorithm | Prehashed:
    """What a signature does with `message`: hash it if RAW, take it as the hash if DIGEST.

    Raises:
        BadDigestLength: A DIGEST whose length is not the algorithm's.
        ValueError: Another message type.
    """
    if message_type == RAW:
        return algorithm
    require(message_type, DIGEST)
    require_length(message, algorithm.digest_size)
    return Prehashed(algorithm)


def require(message_type: str, only: str) -> None:
    """Nothing, if `message_type` is the `only` one that the algorithm takes.

    Raises:
        ValueError: It is another; `spec.MESSAGE_TYPES` says beforehand which are taken.
    """
    if message_type != only:
        raise ValueError(f"message type {message_type} where only {only} is possible")


def require_length(digest: bytes, length: int) -> None:
    """Nothing, if `digest` has `length` bytes.

    Raises:
        BadDigestLength: It has not.
    """
    if len(digest) != length:
        raise BadDigestLength(f"a digest of {length} bytes is needed")
