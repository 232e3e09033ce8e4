"""Whom a request claims to be signed by, and when it is looked at, as values."""

from __future__ import annotations

import msgspec

from keystead.api.standing import Standing
from keystead.identity import Credential, Session
from keystead.storage import Transaction
from keystead.wire.sigv4 import SigningKey


class Signer(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Whom an access key id and a session token claim to be; `known` if that is somebody."""

    secret: str
    known: bool
    credential: Credential | None = None
    session: Session | None = None

    def __repr__(self) -> str:
        return "Signer()"


class Holder(msgspec.Struct, gc=False, eq=False):
    """A signer, the key for one scope, and what the signer is once a signature was verified.

    They hold for the state of the store whose generation and era are `stamp`.
    """

    stamp: tuple[int, int]
    signer: Signer
    key: SigningKey
    standing: Standing | None = None

    def __repr__(self) -> str:
        return "Holder()"


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When, and on which state of the store, a request is looked at."""

    tx: Transaction
    wall: float
    now: float
