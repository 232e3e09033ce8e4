"""Policies: what documents mean, and what they decide together.

Owns parsing, matching, conditions, variables, grants, the order of evaluation and the texts of denials. It is
pure: it refuses to know sockets, stores, clocks and keys, and where a request or a policy came from.
"""

from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.context import DerivedContext
from keystead.policy.document import Document, Statement, parse
from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy, Decision
from keystead.policy.facts import Facts
from keystead.policy.keypolicy import compile_key_policy, default_key_policy, named_principals
from keystead.policy.lint import validate_key_policy
from keystead.policy.policyset import Level, Policies
from keystead.policy.request import (
    AuthorizationRequest,
    ChildGrant,
    Constraints,
    Context,
    Grant,
    Principal,
    ResourceDescription,
    Value,
)

__all__ = [
    "AuthorizationRequest",
    "ChildGrant",
    "CompiledPolicy",
    "Constraints",
    "Context",
    "DecidedBy",
    "Decision",
    "DerivedContext",
    "Document",
    "Facts",
    "Grant",
    "Level",
    "Policies",
    "Principal",
    "ResourceDescription",
    "Statement",
    "Value",
    "compile_key_policy",
    "compile_policy",
    "decide",
    "default_key_policy",
    "named_principals",
    "parse",
    "validate_key_policy",
]
