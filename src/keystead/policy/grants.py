"""What a grant permits, and to whom (KMS Developer Guide, "Grants in AWS KMS")."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from keystead.policy import pattern
from keystead.policy.actions import CONTEXT_OPERATIONS, GRANT_OPERATIONS, find
from keystead.policy.document import EVERYONE, PrincipalElement
from keystead.policy.principal import (
    ACCOUNT,
    DIRECT,
    THROUGH_ISSUER,
    UNBOUND,
    UNNAMED,
    Naming,
    account_of,
    naming,
)
from keystead.policy.request import AuthorizationRequest, ChildGrant, Constraints, Grant, Principal

RETIRE: Final = "kms:retiregrant"
"""The one action that the grant decides, in lower case."""


def names(entry: str, principal: Principal, identity: str = "") -> int:
    """How a grantee or retiring principal names the caller, in the bits of `policy.principal`.

    A user ARN names that user, a role ARN all sessions of the role, a session ARN that session. An account
    delegates to its own identity policies, as in a key policy. With `identity`, the unique id found when
    the grant was made, only the user or role with that id is named.
    """
    if principal.type == "service":
        return DIRECT if entry and entry == principal.service else UNNAMED
    if entry == EVERYONE:  # a grant names one principal
        return UNNAMED
    account = account_of(entry)
    if account is not None:
        delegated = ACCOUNT | DIRECT if principal.type == "root" else ACCOUNT
        return delegated if account == principal.account else UNNAMED
    bits = _naming(entry, identity)(principal)
    # A grant to a user says nothing about the sessions that the user issues to others.
    issued = principal.type == "federatedUser" and bits == THROUGH_ISSUER
    return DIRECT if bits and not issued else UNNAMED


@lru_cache(4096)
def _naming(entry: str, identity: str) -> Naming:
    return naming(PrincipalElement(aws=(entry,)), {entry: identity} if identity else UNBOUND)


def permits(grant: Grant, request: AuthorizationRequest) -> int:
    """How the grant allows the request, in the bits of `policy.principal`; `UNNAMED` if it does not."""
    operation = operation_of(request.action)
    if operation not in grant.operations or operation not in GRANT_OPERATIONS or not counts(grant, request):
        return UNNAMED
    if operation == "CreateGrant" and not covers(grant, request.child):
        return UNNAMED
    if not _constraints_hold(grant.constraints, operation, request):
        return UNNAMED
    return names(grant.grantee, request.principal, grant.grantee_id)


def concerns(grant: Grant, principal: Principal) -> bool:
    """Whether the grant names the caller at all, as grantee or as retiring principal."""
    return bool(
        names(grant.grantee, principal, grant.grantee_id)
        or names(grant.retiring, principal, grant.retiring_id)
    )


def operation_of(action: str) -> str:
    """The operation's name as grants spell it; empty if the action is not one of KMS."""
    row = find(action)
    return row.name.removeprefix("kms:") if row else ""


def counts(grant: Grant, request: AuthorizationRequest) -> bool:
    """Whether the grant is on this key and in effect: established, or named by its token."""
    return grant.key_arn == request.resource and (
        grant.active or (grant.token != "" and grant.token in request.grant_tokens)
    )


def _constraints_hold(constraints: Constraints, operation: str, request: AuthorizationRequest) -> bool:
    if constraints.source_arn is not None and not _from_source(constraints.source_arn, request):
        return False
    if operation not in CONTEXT_OPERATIONS:
        return True
    given = _pairs(request.encryption_context)
    equals, subset = constraints.encryption_context_equals, constraints.encryption_context_subset
    if (equals is not None or subset is not None) and not given:
        return False  # no encryption context never satisfies a constraint
    return (equals is None or given == _pairs(equals)) and (subset is None or _within(_pairs(subset), given))


def _from_source(source_arn: str, request: AuthorizationRequest) -> bool:
    value = request.context.get("aws:sourcearn")
    return isinstance(value, str) and pattern.arn_matcher(pattern.tokens(source_arn))(value)


def _pairs(context: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pairs in a fixed order; the API reference says that case counts in values, not in keys."""
    return sorted((key.lower(), value) for key, value in context.items())


def _within(some: list[tuple[str, str]], pairs: list[tuple[str, str]]) -> bool:
    return set(some) <= set(pairs)


def covers(parent: Grant, child: ChildGrant) -> bool:
    """Whether a child grant exceeds its parent in nothing: operations within, constraints as strict.

    Parent Equals asks for Equals of the same pairs, parent Subset for either constraint with at least
    those pairs (API reference, CreateGrant).
    """
    mine, theirs = parent.constraints, child.constraints
    if not child.operations <= parent.operations or mine.source_arn not in (None, theirs.source_arn):
        return False
    equals, subset = theirs.encryption_context_equals, theirs.encryption_context_subset
    if mine.encryption_context_equals is not None and (
        equals is None or _pairs(equals) != _pairs(mine.encryption_context_equals)
    ):
        return False
    if mine.encryption_context_subset is None:
        return True
    needed = _pairs(mine.encryption_context_subset)
    return any(_within(needed, _pairs(pairs)) for pairs in (equals, subset) if pairs is not None)


def may_retire(grant: Grant, principal: Principal) -> bool:
    """Whether the grant itself lets the caller retire it (API reference, RetireGrant).

    The retiring principal may; the grantee may if `RetireGrant` is among the operations; so may the root
    user of the account that created the grant.
    """
    return bool(
        names(grant.retiring, principal, grant.retiring_id) & DIRECT
        or ("RetireGrant" in grant.operations and names(grant.grantee, principal, grant.grantee_id) & DIRECT)
        or (principal.type == "root" and principal.account == grant.issuing_account)
    )


def may_delegate_retiring(grant: Grant, principal: Principal, key_account: str) -> bool:
    """Whether an identity policy of the caller's account can let the caller retire the grant."""
    return principal.account in (key_account, grant.issuing_account) or bool(
        names(grant.retiring, principal, grant.retiring_id) & ACCOUNT
    )
