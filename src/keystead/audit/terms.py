"""What the index knows of an event: the terms by which it is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

import msgspec

from keystead.audit.identity import Identity, Resource

NAME, SOURCE, ACCOUNT, REGION, OUTCOME, PRINCIPAL, USER, ACCESS_KEY, RESOURCE, TYPE = range(1, 11)
READ_ONLY, MANAGEMENT = 11, 12
"""Kinds of words; what of the last two is true or false has these as its texts."""

ANY_ERROR: Final = "*"
"""The outcome that every failure has besides its own."""
SUCCESS: Final = ""
"""The outcome of what did not fail."""

ALIAS_TYPE: Final = "AWS::KMS::Alias"
_CONTEXTS: Final = ("encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext")
_ALIASES: Final = ("keyId", "aliasName", "sourceKeyId", "destinationKeyId")
OF_IAM: Final = {
    "accessKeyId": "AWS::IAM::AccessKey",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
}
"""Parameters that name what IAM has, and its types: its events list no resources (CloudTrail User Guide, "Resource types")."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z").fullmatch

Word = tuple[int, str]
Parameters = Mapping[str, Any] | None


class Affected(msgspec.Struct, gc=False, kw_only=True):
    """The members of an event behind its answer: in whose stream it is, and what was acted on."""

    readOnly: bool = False  # noqa: N815  CloudTrail's names, here and below
    managementEvent: bool = True  # noqa: N815
    recipientAccountId: str = ""  # noqa: N815
    resources: list[Resource] | None = None

    def affected_words(self) -> Iterator[Word]:
        """The words by which it is found."""
        yield ACCOUNT, self.recipientAccountId
        yield from (truth(READ_ONLY, self.readOnly), truth(MANAGEMENT, self.managementEvent))
        for each in self.resources or ():
            yield from ((TYPE, each.type), (RESOURCE, each.arn))


class Event(Affected, gc=False, kw_only=True):
    """The members of an event that queries look at."""

    eventTime: str  # noqa: N815
    eventName: str  # noqa: N815
    eventID: str  # noqa: N815
    eventSource: str = ""  # noqa: N815
    awsRegion: str = ""  # noqa: N815
    errorCode: str = ""  # noqa: N815
    requestParameters: dict[str, Any] | None = None  # noqa: N815
    userIdentity: Identity = msgspec.field(default_factory=Identity)  # noqa: N815

    @property
    def time(self) -> int:
        """When it happened, in epoch seconds."""
        return seconds_of(self.eventTime)

    @property
    def principal(self) -> str:
        """The caller's ARN, or the service that called."""
        return _principal(self.userIdentity)

    @property
    def user(self) -> str:
        """The caller's name as LookupEvents has it: of the user, or of the session; empty for services."""
        return _user(self.userIdentity)

    @property
    def context(self) -> list[tuple[str, Any]]:
        """The pairs of the encryption contexts."""
        return _context_of(self.requestParameters)

    @property
    def named(self) -> list[tuple[str, str]]:
        """Type and name of each resource: those that the event lists, and those that its parameters name."""
        listed = [(each.type, each.arn) for each in self.resources or ()]
        return [*listed, *(each for each in sorted(_named_by(self.requestParameters)) if each not in listed)]

    def called_words(self) -> Iterator[Word]:
        """The words by which its call and its caller are found."""
        yield from call_words(self.eventName, self.eventSource, self.awsRegion, self.errorCode)
        yield from caller_words(self.userIdentity)


read_event: Final = msgspec.json.Decoder(Event).decode


def call_words(name: str, source: str, region: str, error: str) -> Iterator[Word]:
    """The words by which a call is found that had this name, and this error if any."""
    yield from ((NAME, name), (SOURCE, source), (REGION, region), (OUTCOME, error or SUCCESS))
    if error:
        yield OUTCOME, ANY_ERROR


def caller_words(identity: Identity) -> Iterator[Word]:
    """The words by which a caller's events are found."""
    for kind, text in (
        (PRINCIPAL, _principal(identity)),
        (PRINCIPAL, identity.issuer.arn),
        (USER, _user(identity)),
        (ACCESS_KEY, identity.access_key_id),
    ):
        if text:
            yield kind, text


def asked_words(asked: Parameters) -> Iterator[Word]:
    """The words by which what a request's parameters name is found."""
    for kind, name in _named_by(asked):
        yield from ((TYPE, kind), (RESOURCE, name))


def texts_of(asked: Parameters) -> list[str]:
    """The pairs of the encryption contexts in a request's parameters, as `pair_term` takes them."""
    return [f"{name}={value}" for name, value in _context_of(asked)]


def _context_of(asked: Parameters) -> list[tuple[str, Any]]:
    contexts = [] if asked is None else [asked.get(member) for member in _CONTEXTS]
    return [pair for context in contexts if isinstance(context, dict) for pair in context.items()]


def _named_by(asked: Parameters) -> set[tuple[str, str]]:
    """Type and name of each alias, and of each thing of IAM."""
    if asked is None:
        return set()
    texts = [(member, text) for member, text in asked.items() if isinstance(text, str)]
    aliases = {(ALIAS_TYPE, text) for member, text in texts if member in _ALIASES and _is_alias(text)}
    return aliases | {(OF_IAM[member], text) for member, text in texts if member in OF_IAM}


def truth(kind: int, holds: bool) -> Word:
    """The word for what holds, or does not."""
    return kind, "true" if holds else "false"


@lru_cache(4096)
def seconds_of(text: str) -> int:
    """The epoch seconds of `YYYY-MM-DDTHH:MM:SSZ`.

    Raises:
        ValueError: it is no such time.
    """
    if not _TIME(text):  # datetime takes other forms, too; strptime takes ten times as long
        raise ValueError(f"{text!r} is no time")
    return int(datetime.fromisoformat(text).timestamp())


def _principal(identity: Identity) -> str:
    return identity.arn or identity.invoked_by or identity.principal_id


def _user(identity: Identity) -> str:
    if identity.user_name:
        return identity.user_name
    if identity.type == "Root":
        return "root"
    return identity.arn.rpartition("/")[2] if identity.type in {"AssumedRole", "FederatedUser"} else ""


def _is_alias(name: str) -> bool:
    return name.startswith("alias/") or ":alias/" in name


def pair_term(text: str) -> int:
    """The term of `NAME=VALUE` in an encryption context: negative, so that it is no word's number."""
    return -1 - (int.from_bytes(sha256(text.encode()).digest()[:8]) >> 1)


def short_id(event_id: bytes) -> int:
    """Thirty-two bits of an event's id: few enough to keep, enough to leave a query one candidate or two."""
    return crc32(event_id)


def short_ids(event_ids: Iterable[bytes]) -> list[int]:
    """Those of many."""
    return list(map(crc32, event_ids))
