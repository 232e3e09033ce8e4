"""What a template declares, in words that all kinds of templates share."""

from __future__ import annotations

from typing import Final, Literal

import msgspec


class Unknown:
    """A value that is known only when the template is applied."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A KMS key. `policy` is its text; None if none is written, UNKNOWN if it is not known yet.

    `scanned`: it is of the kind that all scanners of templates look at.
    """

    address: str
    line: int | None = None
    policy: str | Unknown | None = None
    rotation: bool = False
    rotation_days: int | None = None
    enabled: bool = True
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region: bool = False
    replica: bool = False
    scanned: bool = True


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """An identity policy."""

    address: str
    line: int | None = None
    place: Literal["managed", "inline"]
    text: str | Unknown


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket's default encryption: the algorithm, None if none is written, and the key, None of a default one."""

    address: str
    line: int | None = None
    algorithm: str | Unknown | None = None
    key: str | Unknown | None = None


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """All that a template declares. `account` is None where the template does not tell."""

    keys: tuple[Key, ...] = ()
    policies: tuple[Policy, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    account: str | None = None
