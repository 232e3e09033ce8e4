"""Whom a request claims to be signed by, and when it is looked at, as values."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from keystead.api.standing import Standing
from keystead.identity import Credential, Session
from keystead.storage import Transaction
from keystead.wire.sigv4 import Begun, Scope, SigningKey


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


Like: TypeAlias = tuple[int, int, str, str, list[str]]
"""The store's generation and era, the service, the target, and the names of all headers."""


class Familiar(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What was found of a request besides its signature, which holds for each that claims the same and is `like` it.

    Attributes:
        token: the same for all; one that is None is no header.
        first, last: when it is taken, by the host's clock.
        expires: when it is not any more, by the service's.
    """

    like: Like
    token: str | None
    first: float
    last: float
    expires: float
    scope: Scope
    date: str
    time: int
    begun: Begun
    standing: Standing

    def __repr__(self) -> str:
        return "Familiar()"


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When, and on which state of the store, a request is looked at."""

    tx: Transaction
    wall: float
    now: float
