"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies. Policies are kept byte for byte.

A key has one policy, called `default`. AWS knows a second one, `AWS_RAM`, which only its Resource Access
Manager writes: here no key has it.
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.authorize import compiled_key_policy, may_change_policy
from keystead.api.directory import bind
from keystead.keys.state import check_state
from keystead.policy import (
    CompiledPolicy,
    default_key_policy,
    named_principals,
    validate_key_policy,
)
from keystead.policy.lint import INVALID_PRINCIPALS, LOCKOUT
from keystead.services.kms.facts import FactMap, bypass_fact
from keystead.services.kms.paging import page_list
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import on_key
from keystead.storage import Transaction
from keystead.wire.models import kms as wire

DEFAULT = "default"
_MANAGED_ELSEWHERE = "AWS_RAM"
_LONGEST_PAGE = 1000


class CheckedPolicy(msgspec.Struct, frozen=True):
    """A key policy that may be stored; `principals` as in `Key`."""

    text: str
    principals: tuple[tuple[str, str], ...] = ()


def checked_policy(
    call: Call, text: str | None, account: str, *, bypass_lockout_check: bool
) -> CheckedPolicy:
    """The policy to store for a key of `account`: `text`, or the default policy.

    Raises:
        errors.MalformedPolicyDocument: it is no key policy, it names principals that do not exist, or it
            would lock the caller out.
        errors.LimitExceeded: it is longer than a key policy may be.
    """
    if text is None:
        return CheckedPolicy(default_key_policy(account))
    checked = bound_policy(call.tx, text)
    policy = compiled_key_policy(text, checked.principals)
    if not bypass_lockout_check and not may_change_policy(call, policy, account):
        raise errors.MalformedPolicyDocument(f"{LOCKOUT} {_remaining(policy)}")
    return checked


def _remaining(policy: CompiledPolicy) -> str:
    """Whom a policy leaves the right to change it, as far as its Allow statements say."""
    statements = policy.document.statements
    allowing = [statements[s.index].principal for s in policy.for_action("kms:PutKeyPolicy").allows]
    named = sorted({name for element in allowing if element is not None for name in element.aws})
    if not named:
        return "It leaves that to nobody."
    return f"It leaves that to: {', '.join(named)}."


def bound_policy(tx: Transaction, text: str) -> CheckedPolicy:
    """The policy with the users and roles that it names.

    Raises:
        errors.MalformedPolicyDocument: it is no key policy, or it names principals that do not exist.
        errors.LimitExceeded: it is longer than a key policy may be.
    """
    validate_key_policy(text)
    bound, missing = bind(tx, named_principals(text))
    if missing:
        raise errors.MalformedPolicyDocument(f"{INVALID_PRINCIPALS} They do not exist: {', '.join(missing)}")
    return CheckedPolicy(text, tuple(sorted(bound.items())))


def _check_name(name: str | None) -> None:
    if name not in {None, DEFAULT}:
        raise errors.NotFound("No such policy exists")


def _name_fact(_call: Call, request: wire.GetKeyPolicyRequest | wire.PutKeyPolicyRequest) -> FactMap:
    return {"kms:PolicyName": request.policy_name or DEFAULT}


@operation("GetKeyPolicy", targets=on_key("GetKeyPolicy", facts=_name_fact))
def get_key_policy(
    _call: Call, request: wire.GetKeyPolicyRequest, target: Target
) -> wire.GetKeyPolicyResponse:
    """Return the key's policy as it was put."""
    _check_name(request.policy_name)
    return wire.GetKeyPolicyResponse(policy=target.found.policy, policy_name=DEFAULT)


def _put_facts(call: Call, request: wire.PutKeyPolicyRequest) -> FactMap:
    return _name_fact(call, request) | bypass_fact(request.bypass_policy_lockout_safety_check)


@operation("PutKeyPolicy", targets=on_key("PutKeyPolicy", facts=_put_facts), changes=True)
def put_key_policy(call: Call, request: wire.PutKeyPolicyRequest, target: Target) -> None:
    """Replace the key's policy; it counts from the next request on."""
    key = target.found
    if request.policy_name == _MANAGED_ELSEWHERE:
        raise errors.Validation("The AWS_RAM policy can only be managed by the RAM service")
    _check_name(request.policy_name)
    check_state("PutKeyPolicy", key.state, key.arn)
    policy = checked_policy(
        call,
        request.policy,
        key.account,
        bypass_lockout_check=bool(request.bypass_policy_lockout_safety_check),
    )
    changed = msgspec.structs.replace(key, policy=policy.text, principals=policy.principals)
    call.tx.put(KEYS, key_place(key), changed)


@operation("ListKeyPolicies", targets=on_key("ListKeyPolicies"))
def list_key_policies(
    call: Call, request: wire.ListKeyPoliciesRequest, target: Target
) -> wire.ListKeyPoliciesResponse:
    """Return the names of the key's policies: a key has one, always called `default`."""
    limit = request.limit or _LONGEST_PAGE
    names, marker = page_list(call, [DEFAULT], limit, request.marker, target.resource)
    return wire.ListKeyPoliciesResponse(policy_names=names, next_marker=marker, truncated=marker is not None)


OPERATIONS = (get_key_policy, put_key_policy, list_key_policies)
