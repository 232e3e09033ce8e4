"""Whom a request claims to be signed by, and when it is looked at, as values."""

from __future__ import annotations

import msgspec

from keystead.identity import Credential, Session
from keystead.storage import Transaction


class Signer(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Whom an access key id and a session token claim to be; `known` if that is somebody."""

    secret: str
    known: bool
    credential: Credential | None = None
    session: Session | None = None

    def __repr__(self) -> str:
        return "Signer()"


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When, and on which state of the store, a request is looked at."""

    tx: Transaction
    wall: float
    now: float
