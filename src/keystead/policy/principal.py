"""How Principal and NotPrincipal elements name a caller.

Naming is a set of bits, because one element can name a caller in several ways and the way decides what
else is needed (KMS Developer Guide, "Key policies"; IAM User Guide, "AWS JSON policy elements:
Principal").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

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

_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:iam::([0-9]{12}):root|([0-9]{12}))", re.ASCII)


def account_of(entry: str) -> str | None:
    """The account id that an entry (`arn:…:root` or 12 digits) names, or None if it names no account."""
    found = _ACCOUNT.fullmatch(entry)
    return (found[1] or found[2]) if found else None


def naming(element: PrincipalElement) -> Naming:
    """A function that tells how a Principal element names a caller."""
    if EVERYONE in element.aws:
        return lambda _principal: DIRECT
    accounts, arns, services = _parts(element)
    if accounts and not arns and not services:
        return _naming_accounts(accounts)

    def name(principal: Principal) -> int:
        bits = UNNAMED
        if principal.account in accounts:
            bits = ACCOUNT | DIRECT if principal.type == "root" else ACCOUNT
        if _named(principal, arns, services):
            bits |= DIRECT
        if _through_issuer(principal, arns):
            bits |= THROUGH_ISSUER
        return bits

    return name


def exempting(element: PrincipalElement) -> Callable[[Principal], bool]:
    """A function that tells whether a NotPrincipal element exempts a caller.

    Only an entry that names the caller does; an account entry exempts its root user alone, so that
    listing an account by itself does not open it to its users.
    """
    everyone = EVERYONE in element.aws
    accounts, arns, services = _parts(element)

    def exempt(principal: Principal) -> bool:
        return (
            everyone
            or (principal.type == "root" and principal.account in accounts)
            or _named(principal, arns, services)
            or (principal.type in _ROLE_TYPES and principal.role_arn in arns)
        )

    return exempt


_ROLE_TYPES: Final = frozenset({"assumedRole", "role"})
_NAMED_BY_ARN: Final = frozenset({"user", "assumedRole", "federatedUser"})


def _parts(element: PrincipalElement) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The accounts, the other ARNs and the services of an element."""
    accounts = frozenset(filter(None, map(account_of, element.aws)))
    arns = frozenset(entry for entry in element.aws if entry and account_of(entry) is None)
    return accounts, arns, frozenset(filter(None, element.service))


def _naming_accounts(accounts: frozenset[str]) -> Naming:
    """The frequent case on its own: a statement that delegates to accounts."""

    def name(principal: Principal) -> int:
        if principal.account not in accounts:
            return UNNAMED
        return ACCOUNT | DIRECT if principal.type == "root" else ACCOUNT

    return name


def _named(principal: Principal, arns: frozenset[str], services: frozenset[str]) -> bool:
    if principal.type == "service":
        return principal.service in services
    return principal.type in _NAMED_BY_ARN and principal.arn in arns


def _through_issuer(principal: Principal, arns: frozenset[str]) -> bool:
    if principal.type in _ROLE_TYPES:
        return principal.role_arn in arns
    return principal.type == "federatedUser" and principal.issuer_arn in arns
