"""What the index knows of an event: its columns, and the terms by which it is found."""

from __future__ import annotations

from calendar import timegm
from functools import lru_cache
from hashlib import sha256
from time import strptime
from typing import Any, Final

import msgspec

from keystead.audit.identity import Identity, Resource, read_identity, read_resources

NAME, SOURCE, ACCOUNT, REGION, OUTCOME, PRINCIPAL, USER, ACCESS_KEY, RESOURCE, TYPE, PLACE = range(1, 12)
"""Kinds of words. A place is `account/region`; the outcome of a success is no word."""

ANY_ERROR: Final = "*"
"""The outcome that every failure has besides its own."""

ALIAS_TYPE: Final = "AWS::KMS::Alias"
_KEY_TYPE: Final = "AWS::KMS::Key"
_KMS: Final = "kms.amazonaws.com"
_COMMON: Final = frozenset({(SOURCE, _KMS), (TYPE, _KEY_TYPE)})
"""Words that most events have: finding events by them is reading all events of a place."""

_CONTEXTS: Final = ("encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext")
_ALIASES: Final = ("keyId", "aliasName", "sourceKeyId", "destinationKeyId")

Word = tuple[int, str]


class _Members(msgspec.Struct, gc=False):
    """The members of an event that every look at it takes as they are."""

    eventTime: str  # noqa: N815  CloudTrail's names, here and below
    eventName: str  # noqa: N815
    eventID: str  # noqa: N815
    eventSource: str = ""  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    recipientAccountId: str = ""  # noqa: N815
    errorCode: str = ""  # noqa: N815
    readOnly: bool = False  # noqa: N815
    requestParameters: dict[str, Any] | None = None  # noqa: N815

    @property
    def context(self) -> list[tuple[str, str]]:
        """The pairs of the encryption contexts."""
        asked = self.requestParameters
        contexts = [] if asked is None else (asked.get(member) for member in _CONTEXTS)
        return [pair for context in contexts if isinstance(context, dict) for pair in context.items()]


class Event(_Members, gc=False):
    """The members of an event that queries look at."""

    managementEvent: bool = True  # noqa: N815
    userIdentity: Identity = msgspec.field(default_factory=Identity)  # noqa: N815
    resources: list[Resource] | None = None

    @property
    def time(self) -> int:
        """When it happened, in epoch seconds."""
        return seconds_of(self.eventTime)

    @property
    def place(self) -> str:
        """Account and Region."""
        return f"{self.recipientAccountId}/{self.awsRegion}"

    @property
    def principal(self) -> str:
        """The caller's ARN, or the service that called."""
        identity = self.userIdentity
        return identity.arn or identity.invoked_by or identity.principal_id

    @property
    def user(self) -> str:
        """The caller's name as LookupEvents has it: of the user, or of the session; empty for services."""
        return _user(self.userIdentity)

    @property
    def named(self) -> list[tuple[str, str]]:
        """Type and name of each resource: those that the event lists, and the aliases that were asked for."""
        listed = [(each.type, each.arn) for each in self.resources or ()]
        asked = (self.requestParameters or {}).get
        aliases = {name for member in _ALIASES if isinstance(name := asked(member), str) and _is_alias(name)}
        return [
            *listed,
            *((ALIAS_TYPE, name) for name in sorted(aliases) if (ALIAS_TYPE, name) not in listed),
        ]


read_event = msgspec.json.Decoder(Event).decode


class Words(msgspec.Struct, frozen=True, gc=False):
    """What many events have alike: the words of their columns, and those by which they are found."""

    columns: tuple[Word | None, ...]
    posted: frozenset[Word]


class Indexed(_Members, gc=False):
    """An event as the index takes it in: what many events have alike is not looked at each time."""

    userIdentity: msgspec.Raw = msgspec.Raw(b"{}")  # noqa: N815
    resources: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def words(self) -> Words:
        """Its words.

        Raises:
            msgspec.MsgspecError: the caller or the resources have not their form.
        """
        asked = self.requestParameters or {}
        return _words(
            self.eventName,
            self.eventSource,
            self.recipientAccountId,
            self.awsRegion,
            self.errorCode,
            bytes(self.userIdentity),
            bytes(self.resources),
            tuple(
                name for member in _ALIASES if isinstance(name := asked.get(member), str) and _is_alias(name)
            ),
        )


read_indexed = msgspec.json.Decoder(Indexed).decode


@lru_cache(4096)
def _words(
    name: str,
    source: str,
    account: str,
    region: str,
    error: str,
    identity: bytes,
    resources: bytes,
    aliases: tuple[str, ...],
) -> Words:
    event = Event(
        eventTime="",
        eventName=name,
        eventID="",
        eventSource=source,
        recipientAccountId=account,
        awsRegion=region,
        errorCode=error,
        userIdentity=read_identity(identity),
        resources=read_resources(resources),
        requestParameters=dict(zip(_ALIASES, aliases, strict=False)),
    )
    return Words(columns(event), frozenset(posted(event)))


@lru_cache(4096)
def seconds_of(text: str) -> int:
    """The epoch seconds of `YYYY-MM-DDTHH:MM:SSZ`.

    Raises:
        ValueError: it is no such time.
    """
    return timegm(strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _user(identity: Identity) -> str:
    if identity.user_name:
        return identity.user_name
    if identity.type == "Root":
        return "root"
    return identity.arn.rpartition("/")[2] if identity.type in {"AssumedRole", "FederatedUser"} else ""


def _is_alias(name: str) -> bool:
    return name.startswith("alias/") or ":alias/" in name


def context_term(name: str, value: str) -> int:
    """The term of an encryption context's pair: negative, so that it is no word's number."""
    return -1 - (int.from_bytes(sha256(f"{name}={value}".encode()).digest()[:8]) >> 1)


def short_id(event_id: str) -> int:
    """Forty bits of an event's id: few enough to index cheaply, enough to leave a query one candidate."""
    return int.from_bytes(sha256(event_id.encode()).digest()[:5])


def columns(event: Event) -> tuple[Word | None, ...]:
    """The words in the index's row of the event, in the order of its columns."""
    named = event.named
    return (
        (NAME, event.eventName),
        (SOURCE, event.eventSource),
        (ACCOUNT, event.recipientAccountId),
        (REGION, event.awsRegion),
        (OUTCOME, event.errorCode) if event.errorCode else None,
        (PRINCIPAL, event.principal) if event.principal else None,
        (USER, event.user) if event.user else None,
        (ACCESS_KEY, event.userIdentity.access_key_id) if event.userIdentity.access_key_id else None,
        (TYPE, named[0][0]) if named else None,
    )


def posted(event: Event) -> set[Word]:
    """The words by which the event is found; those that nearly every event has are left out."""
    found: set[Word] = {(PLACE, event.place), (NAME, event.eventName), (SOURCE, event.eventSource)}
    identity = event.userIdentity
    found.update((PRINCIPAL, name) for name in (event.principal, identity.issuer.arn) if name)
    found.update(
        (kind, name) for kind, name in ((USER, event.user), (ACCESS_KEY, identity.access_key_id)) if name
    )
    if event.errorCode:
        found.update(((OUTCOME, event.errorCode), (OUTCOME, ANY_ERROR)))
    for kind, name in event.named:
        found.update(((TYPE, kind), (RESOURCE, name)))
    return found - _COMMON


def is_common(word: Word) -> bool:
    """Whether events are not found by this word, only told apart."""
    return word in _COMMON
