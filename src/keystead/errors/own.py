"""What is no answer of an API: what primitives refuse, and what the person who runs Keystead is told."""

from __future__ import annotations

from traceback import extract_tb

from keystead.errors.base import KeysteadError


class CryptoError(KeysteadError):
    """A primitive refused its input. Messages never hold key bytes or plaintext."""


class DecryptionFailed(CryptoError):
    """The ciphertext, its associated data or its key is not the right one (no more is said)."""


class VerificationFailed(CryptoError):
    """The signature or MAC is not the message's."""


class BadDigestLength(CryptoError):
    """A digest was given whose length is not the algorithm's."""


class PlaintextTooLong(CryptoError):
    """The plaintext does not fit; `limit` is the most bytes that do."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} bytes fit")
        self.limit = limit


class BadKeyMaterial(CryptoError):
    """Key material is not what its key spec requires (length, curve, modulus, encoding)."""


class BadPublicKey(CryptoError):
    """A peer's public key cannot be parsed, or lies on another curve."""


class BadAttestation(CryptoError):
    """An attestation document is not one that a pinned root vouches for; the message is the reason."""


class OperatorError(KeysteadError):
    """One clear line for the person who runs Keystead."""


class Undecided(OperatorError):
    """A question about policies is neither proven nor refuted; the message says what is too hard."""


class AnalysisFault(KeysteadError):
    """The evaluator does not confirm a witness: the analysis is wrong, and nothing that it says may be believed."""


class SettingsError(OperatorError):
    """A setting has a bad value; the message names the setting."""


class SealError(OperatorError):
    """The root key cannot be unwrapped (wrong passphrase, damaged or missing seal file)."""


class StorageError(OperatorError):
    """The store cannot be read or written."""


class StorageUnavailable(StorageError):
    """A write or read failed (disk full, I/O error); whether a write persisted is unknown."""


class StorageConflict(StorageError):
    """A condition of a batch no longer holds; nothing of the batch was written."""


class StorageTampered(StorageError):
    """A record is not the one that Keystead last wrote at its place."""


class JournalError(OperatorError):
    """Evidence cannot be written or read."""


class LogError(OperatorError):
    """Something of a Merkle log is malformed, or does not prove what it must; the message quotes nothing of it."""


class SinkFailed(OperatorError):
    """What is delivered outside was not taken."""


class IndexUnavailable(OperatorError):
    """The index of the events cannot be used now."""


def places(error: BaseException) -> list[str]:
    """The places that a failure came through, outermost first, without its words: those may quote a request."""
    return [
        f"{frame.filename.rpartition('keystead/')[2]}:{frame.lineno} {frame.name}"
        for frame in extract_tb(error.__traceback__)
    ]
