"""What the log signs and salts with, wherever it comes from (`custody`: the store)."""

from __future__ import annotations

import msgspec

from keystead.crypto.secret import Secret
from keystead.tlog import Salts, Signer, StateDigests
from keystead.tlog.checkpoint import LOG


class LogKeys(msgspec.Struct, frozen=True):
    """What the log signs and salts with, and the deployment's id; `name` is the log's, if it was given one.

    `begun` says that a log was published with them, `anew` that evidence before it was lost.
    """

    deployment: str
    seed: bytes
    salt: bytes
    name: str = ""
    begun: bool = False
    anew: bool = False

    def __repr__(self) -> str:
        return "LogKeys()"

    def origin(self, setting: str | None) -> str:
        """The log's name: as set, as it was given, or by the deployment's id."""
        return setting or self.name or f"keystead/{self.deployment}"

    def signer(self, origin: str) -> Signer:
        """What signs checkpoints of the log of that name.

        Raises:
            errors.LogError: the name cannot be a key's name.
        """
        return Signer(origin, LOG, Secret(self.seed))

    @property
    def salts(self) -> Salts:
        """The salts of commitments."""
        return Salts(Secret(self.salt))

    @property
    def digests(self) -> StateDigests:
        """What tells of records that changes wrote."""
        return StateDigests(Secret(self.salt))
