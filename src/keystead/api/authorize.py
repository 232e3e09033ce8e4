"""May the caller do this? Denied unless a policy or a grant allows it.

One evaluator decides for every service; here its question is put together: who asks, for what, under
which circumstances, and which policies have a say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from keystead import errors
from keystead.api.call import Call, Target
from keystead.api.condition_keys import NOT_A_KEY, CheckContext, facts_of
from keystead.api.decisions import Refused
from keystead.api.standing import Standing
from keystead.keys import Key
from keystead.keys import grant as key_grants
from keystead.policy import (
    AuthorizationRequest,
    ChildGrant,
    CompiledPolicy,
    Constraints,
    Decision,
    Grant,
    Policies,
    ResourceDescription,
    compile_key_policy,
    decide,
)
from keystead.policy.context import derive
from keystead.policy.explain import missing_resource
from keystead.policy.record import record_policies, record_request

_MOST_COMPILED: Final = 4096
_MOST_TOGETHER: Final = 16_384
_KEY: Final = ResourceDescription(trust="keyPolicy")
_OF_AWS: Final = ResourceDescription(trust="keyPolicy", key_manager="AWS")
_NO_CHILD: Final = ChildGrant()
_RETIRE: Final = "kms:RetireGrant"


def authorize(call: Call, targets: tuple[Target, ...]) -> None:
    """Return if the caller may do what the call asks to every target.

    Raises:
        errors.AccessDenied: it may not; the message is AWS's.
    """
    for target in targets:
        check(call, target)


def check(call: Call, target: Target) -> None:
    """Return if the caller has `target.action` on `target.resource`.

    Raises:
        errors.AccessDenied: it has not.
    """
    request = _request(call, target)
    decision, policies = decision_on(call, target, request)
    if not decision.allowed:
        asked = record_request(request, derive(facts_of(call, target)))
        raise errors.AccessDenied(decision.message, Refused(asked, record_policies(policies), decision))


def decision_on(call: Call, target: Target, request: AuthorizationRequest) -> tuple[Decision, Policies]:
    """The decision on one target, and the policies that had a say."""
    key = target.key
    if key is None:
        policies = _around(call, target, call.standing.policies, target.trust)
        return decide(request, policies), policies
    policy = key_policy(key)
    if target.action == _RETIRE:
        # The grant decides (KMS Developer Guide, "Retiring and revoking grants"); no other has a say.
        assert target.grant is not None
        policies = _around(call, target, call.standing.policies, policy)
        policies = msgspec.structs.replace(policies, grants=(_as_policy(target.grant),))
        return decide(request, policies), policies
    policies = _around(call, target, _together(call.standing, policy), None)
    decision = decide(request, policies)
    if decision.effect == "implicitDeny":
        # Grants only ever allow, so they are looked up only where nothing else does.
        grants = grants_on(call, key)
        if grants:
            policies = msgspec.structs.replace(policies, grants=grants)
            decision = decide(request, policies)
    return decision, policies


def grants_on(call: Call, key: Key) -> tuple[Grant, ...]:
    """Every grant on the key, as the evaluator takes it."""
    return tuple(_as_policy(grant) for grant in call.relations.grants(call.tx, key))


def may_change_policy(call: Call, policy: CompiledPolicy, account: str) -> bool:
    """True if `policy` on a key of `account` would let the caller call PutKeyPolicy later."""
    target = Target("kms:PutKeyPolicy", f"arn:aws:kms:{call.region}:{account}:key/*", account)
    policies = _around(call, target, call.standing.policies, policy)
    return decide(_request(call, target, _KEY), policies).allowed


def hidden(call: Call, action: str, *, from_ciphertext: bool = False) -> errors.AccessDenied:
    """The refusal for a key of another account that is not there, in the words for one that is closed."""
    request = AuthorizationRequest(
        principal=call.standing.principal,
        action=action,
        resource="*",
        account="",
        context={},
        from_ciphertext=from_ciphertext,
    )
    return errors.AccessDenied(missing_resource(request))


def key_policy(key: Key) -> CompiledPolicy:
    """The key's policy compiled; once per version."""
    return _key_policy(key.policy, key.principals)


@lru_cache(_MOST_COMPILED)
def _key_policy(text: str, bound: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    return compile_key_policy(text, dict(bound))


@lru_cache(_MOST_TOGETHER)
def _together(standing: Standing, policy: CompiledPolicy) -> Policies:
    """The policies on both sides; remembered as long as neither changes."""
    return msgspec.structs.replace(standing.policies, resource=policy)


def _around(call: Call, target: Target, policies: Policies, policy: CompiledPolicy | None) -> Policies:
    """`policies` with the resource's policy, if one is given, and what binds the resource's account."""
    if policy is not None:
        policies = msgspec.structs.replace(policies, resource=policy)
    place = call.standing.place
    if target.account != call.account:
        place = call.standings.place(target.account, call.tx)
    if place.resource_control:
        policies = msgspec.structs.replace(policies, resource_control=place.resource_control)
    return policies


def _request(
    call: Call, target: Target, description: ResourceDescription | None = None
) -> AuthorizationRequest:
    return AuthorizationRequest(
        principal=call.standing.principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        context=CheckContext(call, target),
        description=description or _described(call, target),
        encryption_context=target.context or {},
        child=_child(target.grant) if target.grant is not None else _NO_CHILD,
        from_ciphertext=target.from_ciphertext,
    )


def _described(call: Call, target: Target) -> ResourceDescription:
    """Of the resource what the evaluator itself looks at; conditions look at the rest."""
    place = call.standing.place
    if target.account != call.account:
        place = call.standings.place(target.account, call.tx)
    key = target.key
    if key is None:
        described = NOT_A_KEY if target.trust is None else _KEY
    else:
        described = _KEY if key.manager == "CUSTOMER" else _OF_AWS
    if place.management:
        return msgspec.structs.replace(described, management_account=True)
    return described


def _child(grant: key_grants.Grant) -> ChildGrant:
    return ChildGrant(operations=frozenset(grant.operations), constraints=_constraints(grant))


def _as_policy(grant: key_grants.Grant) -> Grant:
    return Grant(
        grant_id=grant.id,
        key_arn=grant.key_arn,
        grantee=grant.grantee or grant.grantee_service or "",
        operations=frozenset(grant.operations),
        issuing_account=grant.issuing_account.split(":")[4],
        retiring=grant.retiring or grant.retiring_service or "",
        constraints=_constraints(grant),
        grantee_id=grant.grantee_id,
        retiring_id=grant.retiring_id,
    )


def _constraints(grant: key_grants.Grant) -> Constraints:
    given = grant.constraints
    if given is None:
        return Constraints()
    return Constraints(
        encryption_context_equals=given.context_equals,
        encryption_context_subset=given.context_subset,
        source_arn=given.source_arn,
    )
