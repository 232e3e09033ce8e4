"""How Principal and NotPrincipal elements name a caller.

Naming is a set of bits, because one element can name a caller in several ways and the way decides what
else is needed (KMS Developer Guide, "Key policies"; IAM User Guide, "AWS JSON policy elements:
Principal").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from keystead.policy.document import EVERYONE, PrincipalElement
from keystead.policy.request import Principal

UNNAMED: Final = 0
DIRECT: Final = 1
"""Named as user, session, service, root user or by `*`: nothing else limits an Allow."""
THROUGH_ISSUER: Final = 2
"""Named as the role of the session or the user who issued it: boundary and session policy limit it."""
ACCOUNT: Final = 4
"""The caller's account is named: identity policies decide."""

Naming = Callable[[Principal], int]
Bound = Mapping[str, str]
"""ARNs of users, roles and role sessions to the unique id of the user or role when the policy was written.

IAM keeps the unique id in place of the ARN, so that one who is deleted and made anew under the same name
does not step into the other's rights (IAM User Guide, "AWS JSON policy elements: Principal").
"""
UNBOUND: Final[Bound] = MappingProxyType({})
"""Nothing is tied: every entry names by ARN alone."""

UNIQUE_ID: Final = re.compile(r"(?:AIDA|AROA)[A-Z0-9]{12,124}", re.ASCII)
"""The unique id of a user or a role (IAM User Guide, "IAM identifiers")."""

_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:iam::([0-9]{12}):root|([0-9]{12}))", re.ASCII)


def account_of(entry: str) -> str | None:
    """The account id that an entry (`arn:…:root` or 12 digits) names, or None if it names no account."""
    found = _ACCOUNT.fullmatch(entry)
    return (found[1] or found[2]) if found else None


def naming(element: PrincipalElement, bound: Bound = UNBOUND) -> Naming:
    """A function that tells how a Principal element names a caller.

    An entry that `bound` ties to a unique id names only the principal with that id, under whatever ARN.
    """
    if EVERYONE in element.aws:
        return lambda _principal: DIRECT
    entries = _entries(element, bound)
    if entries.only_accounts:
        return _naming_accounts(entries.accounts)

    def name(principal: Principal) -> int:
        bits = UNNAMED
        if principal.account in entries.accounts:
            bits = ACCOUNT | DIRECT if principal.type == "root" else ACCOUNT
        if _named(principal, entries):
            bits |= DIRECT
        if _through_issuer(principal, entries):
            bits |= THROUGH_ISSUER
        return bits

    return name


def exempting(element: PrincipalElement, bound: Bound = UNBOUND) -> Callable[[Principal], bool]:
    """A function that tells whether a NotPrincipal element exempts a caller.

    Only an entry that names the caller does; an account entry exempts its root user alone, so that
    listing an account by itself does not open it to its users.
    """
    everyone = EVERYONE in element.aws
    entries = _entries(element, bound)

    def exempt(principal: Principal) -> bool:
        return (
            everyone
            or (principal.type == "root" and principal.account in entries.accounts)
            or _named(principal, entries)
            or (principal.type in _ROLE_TYPES and _through_issuer(principal, entries))
        )

    return exempt


_ROLE_TYPES: Final = frozenset({"assumedRole", "role"})
_NAMED_BY_ARN: Final = frozenset({"user", "assumedRole", "federatedUser"})
_WITH_IDS: Final = ("user/", "role/")


class _Entries(msgspec.Struct, frozen=True):
    """The entries of one element by how they name; `sessions` ties a session's ARN to its role's id."""

    accounts: frozenset[str]
    arns: frozenset[str]
    ids: frozenset[str]
    sessions: Mapping[str, str]
    services: frozenset[str]
    providers: frozenset[str]

    @property
    def only_accounts(self) -> bool:
        """Whether nobody but whole accounts is named."""
        others = (self.arns, self.ids, self.sessions, self.services, self.providers)
        return bool(self.accounts) and not any(others)


def _entries(element: PrincipalElement, bound: Bound) -> _Entries:
    arns, ids, sessions = set(), set(), {}
    for entry in element.aws:
        identity, resource = bound.get(entry, ""), entry.split(":", 5)[-1]
        if UNIQUE_ID.fullmatch(entry):
            ids.add(entry)
        elif identity and resource.startswith(_WITH_IDS):
            ids.add(identity)
        elif identity and resource.startswith("assumed-role/"):
            sessions[entry] = identity
        elif entry and account_of(entry) is None:
            arns.add(entry)
    return _Entries(
        accounts=frozenset(filter(None, map(account_of, element.aws))),
        arns=frozenset(arns),
        ids=frozenset(ids),
        sessions=sessions,
        services=frozenset(filter(None, element.service)),
        providers=frozenset(filter(None, element.federated)),
    )


def _naming_accounts(accounts: frozenset[str]) -> Naming:
    """The frequent case on its own: a statement that delegates to accounts."""

    def name(principal: Principal) -> int:
        if principal.account not in accounts:
            return UNNAMED
        return ACCOUNT | DIRECT if principal.type == "root" else ACCOUNT

    return name


def _named(principal: Principal, entries: _Entries) -> bool:
    if principal.type == "service":
        return principal.service in entries.services
    if principal.type == "webIdentity":
        return principal.provider in entries.providers
    if principal.type in _NAMED_BY_ARN and principal.arn in entries.arns:
        return True
    if principal.type == "user":
        return principal.unique_id in entries.ids
    # A session's entry that is tied to a role's id counts for sessions of that very role only.
    return (
        principal.type == "assumedRole"
        and bool(principal.unique_id)
        and entries.sessions.get(principal.arn) == principal.unique_id
    )


def _through_issuer(principal: Principal, entries: _Entries) -> bool:
    if principal.type in _ROLE_TYPES:
        return principal.role_arn in entries.arns or principal.unique_id in entries.ids
    return principal.type == "federatedUser" and (
        principal.issuer_arn in entries.arns or principal.issuer_id in entries.ids
    )
