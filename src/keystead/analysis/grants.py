"""Grants as statements: what one permits, as boxes like those of a policy.

The twin of `policy.grants`. Whom a grant names is asked there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from keystead.policy.actions import CONTEXT_OPERATIONS, GRANT_OPERATIONS
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Condition, Document, Statement
from keystead.policy.request import Grant

_CONTEXT: Final = "kms:EncryptionContext:"
_CONTEXT_KEYS: Final = "kms:EncryptionContextKeys"


def as_policy(grant: Grant, names: Iterable[str]) -> CompiledPolicy:
    """The grant as a policy without principals; `names` are those of all pairs of encryption context at hand."""
    offered = grant.operations & GRANT_OPERATIONS - {"RetireGrant"}
    constrained = offered & CONTEXT_OPERATIONS
    statements = (
        _statement(offered - constrained, _source(grant)),
        _statement(constrained, (*_source(grant), *_constraints(grant, names))),
    )
    return compile_policy(Document(tuple(one for one in statements if one.actions)), grant.grant_id)


def _statement(operations: Iterable[str], conditions: tuple[Condition, ...]) -> Statement:
    actions = tuple(f"kms:{operation}" for operation in sorted(operations))
    return Statement(effect="Allow", actions=actions, resources=(EVERYONE,), conditions=conditions)


def _source(grant: Grant) -> tuple[Condition, ...]:
    arn = grant.constraints.source_arn
    return () if arn is None else (Condition("ArnLike", "aws:SourceArn", (arn,)),)


def _constraints(grant: Grant, names: Iterable[str]) -> tuple[Condition, ...]:
    equals = grant.constraints.encryption_context_equals
    subset = grant.constraints.encryption_context_subset
    found: list[Condition] = []
    for pairs in (equals, subset):
        found += _having(pairs or {})
    if equals is not None:
        known = {name.lower() for name in equals}
        others = sorted({name.lower() for name in names} - known)
        found += [Condition("Null", f"{_CONTEXT}{name}", ("true",)) for name in others]
    if (equals is not None or subset is not None) and not equals and not subset:
        found.append(Condition("Null", _CONTEXT_KEYS, ("false",)))  # no encryption context satisfies none
    return tuple(found)


def _having(pairs: Mapping[str, str]) -> list[Condition]:
    return [Condition("StringEquals", f"{_CONTEXT}{name}", (value,)) for name, value in sorted(pairs.items())]


def context_names(policies: Iterable[CompiledPolicy], grants: Iterable[Grant]) -> frozenset[str]:
    """The names of the pairs of encryption context that policies and grants speak of."""
    spoken = {
        condition.key[len(_CONTEXT) :]
        for policy in policies
        for statement in policy.document.statements
        for condition in statement.conditions
        if condition.key.lower().startswith(_CONTEXT.lower())
    }
    for grant in grants:
        constraints = grant.constraints
        spoken |= {
            *(constraints.encryption_context_equals or ()),
            *(constraints.encryption_context_subset or ()),
        }
    return frozenset(spoken)
