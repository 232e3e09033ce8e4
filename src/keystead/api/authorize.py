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
from keystead.api.condition_keys import CheckContext, facts_of, reader
from keystead.api.decisions import Refused
from keystead.api.guardrails import Place
from keystead.api.permissions import require_known
from keystead.api.readings import is_plain, readings
from keystead.api.standing import Standing
from keystead.api.verdicts import Alike, Noting, keep, said, slot
from keystead.arn import account_in, alias_arn
from keystead.keys import Key
from keystead.keys import grant as key_grants
from keystead.keys.key import AWS, CUSTOMER
from keystead.policy import (
    AuthorizationRequest,
    ChildGrant,
    CompiledPolicy,
    Constraints,
    Context,
    Decision,
    Grant,
    Policies,
    ResourceDescription,
    compile_key_policy,
    decide,
)
from keystead.policy.alike import resource_tests
from keystead.policy.context import derive
from keystead.policy.evaluate import lets_in
from keystead.policy.explain import TELLING, Outcome
from keystead.policy.grants import concerns
from keystead.policy.readings import strictest
from keystead.policy.record import record_policies, record_request

_MOST_COMPILED: Final = 4096
_MOST_TOGETHER: Final = 16_384
_MOST_ALIKE: Final = 4096
_MOST_GRANTS: Final = 16_384
_KEY: Final = ResourceDescription(trust="keyPolicy")
_DESCRIPTIONS: Final = {
    (manager, management): ResourceDescription(
        trust="standard" if not manager else "keyPolicy",
        key_manager="AWS" if manager == AWS else "CUSTOMER",
        management_account=management,
    )
    for manager in ("", CUSTOMER, AWS)
    for management in (False, True)
}
"""What the evaluator itself looks at of a resource, by who manages the key (nobody: it is none)."""
_NO_CHILD: Final = ChildGrant()
_NO_CONTEXT: Final[dict[str, str]] = {}
_RETIRE: Final = "kms:RetireGrant"


def authorize(call: Call, targets: tuple[Target, ...]) -> None:
    """Return if the caller may do what the call asks to every target.

    Raises:
        errors.AccessDenied: it may not; the message is AWS's.
    """
    for target in targets:
        if is_plain(target):
            _check(call, target)
        else:
            _check_readings(call, target)


def check(call: Call, target: Target) -> None:
    """Return if the caller has `target.action` on `target.resource`, in every way to read the request.

    Raises:
        errors.AccessDenied: it has not.
        errors.Validation: it can be read in too many ways.
    """
    authorize(call, (target,))


def _check_readings(call: Call, target: Target) -> None:
    """The same for what can be read in several ways."""
    refused = [refusal for reading in readings(target) if (refusal := _refusal(call, reading)) is not None]
    if refused:
        raise strictest(refused, _effect)


def _refusal(call: Call, reading: Target) -> errors.AccessDenied | None:
    try:
        _check(call, reading)
    except errors.AccessDenied as refusal:
        return refusal
    return None


def _effect(refusal: errors.AccessDenied) -> Outcome:
    assert isinstance(refusal.refused, Refused)
    return refusal.refused.decision.effect


def _check(call: Call, target: Target) -> None:
    """The same for one way to read it; a request for a key like one that was let through is let through (see `verdicts`)."""
    standing, key = call.standing, target.key
    place = standing.place
    if target.account != call.account:
        place = call.standings.place(target.account, call.tx)
    if key is None or target.grant is not None:
        _decide(call, target, place, CheckContext(call, target))
        return
    kept = slot(standing, target.action, target.resource)
    verdicts = kept.verdicts
    if verdicts.allow(call, target, key, place):
        return
    alike = _alike(standing, target.action, place, key_policy(key), key.account, key.manager)
    if not verdicts.hold(key, place):
        kept.verdicts = alike.first(key, place, target.resource)
        if kept.verdicts.allow(call, target, key, place):
            return
    noting = Noting(CheckContext(call, target))
    grants = _decide(call, target, place, noting)
    read = reader(said(target), tuple(noting.asked))
    keep(kept, key, place, target, noting.asked, read, grants=grants)
    if grants is None:
        alike.learn(target.resource, kept.verdicts)


def _decide(
    call: Call, target: Target, place: Place, context: Context
) -> tuple[key_grants.Grant, ...] | None:
    """The key's grants if they are needed for the permission, None if policies alone give it.

    Raises:
        errors.AccessDenied: the caller has not the permission.
        UnknownPermissionError: there is no such permission.
    """
    require_known(target.action)
    request = _request(call, target, _described(target, place), context)
    decision, policies, grants = decision_on(call, target, request, place)
    if decision.allowed:
        return grants
    if _closed(call, target, request, policies, decision):
        raise hidden(call, _as_named(target))
    raise _denied(call, target, request, policies, decision)


def _closed(
    call: Call, target: Target, request: AuthorizationRequest, policies: Policies, decision: Decision
) -> bool:
    """Whether the caller named a key of another account, which does not let it in: what it hears tells nothing of it."""
    named = target.key is not None and target.account != call.account and not target.from_ciphertext
    return named and (decision.decided_by.policy_type in TELLING or not lets_in(request, policies))


def _as_named(target: Target) -> Target:
    """The target without what only the key knows: neither its attributes nor, behind an alias, its ARN."""
    if target.grant is not None:
        return Target(target.action, target.resource, target.account)
    resource = target.resource
    if target.alias is not None:
        region = resource.split(":", 4)[3]
        resource = alias_arn(region, target.account, target.alias)
    return Target(target.action, resource, target.account, None, target.alias, target.context, target.facts)


def _denied(
    call: Call, target: Target, request: AuthorizationRequest, policies: Policies, decision: Decision
) -> errors.AccessDenied:
    asked = record_request(request, derive(facts_of(call, target)))
    return errors.AccessDenied(decision.message, Refused(asked, record_policies(policies), decision))


def decision_on(
    call: Call, target: Target, request: AuthorizationRequest, place: Place
) -> tuple[Decision, Policies, tuple[key_grants.Grant, ...] | None]:
    """The decision on one target, the policies that had a say, and the key's grants if they had one.

    `place` is that of the target's account.
    """
    key = target.key
    resource = key_policy(key) if key is not None else target.trust or target.policy
    policies = _together(call.standing, place, resource)
    if target.action == _RETIRE:
        # The grant decides (KMS Developer Guide, "Retiring and revoking grants"); no other has a say.
        assert target.grant is not None
        policies = msgspec.structs.replace(policies, grants=(as_grant(target.grant),))
    decision = decide(request, policies)
    if key is None or decision.effect != "implicitDeny" or target.action == _RETIRE:
        return decision, policies, None
    # Grants only ever allow, so they are looked up only where nothing else does.
    stored = call.relations.grants(call.tx, key)
    # A grant to somebody else has no say, and a refusal need not be kept with it.
    grants = tuple(grant for grant in map(as_grant, stored) if concerns(grant, request.principal))
    if not grants:
        return decision, policies, None
    policies = msgspec.structs.replace(policies, grants=grants)
    return decide(request, policies), policies, stored


def grants_on(call: Call, key: Key) -> tuple[Grant, ...]:
    """Every grant on the key, as the evaluator takes it."""
    return tuple(map(as_grant, call.relations.grants(call.tx, key)))


def may_change_policy(call: Call, policy: CompiledPolicy, account: str) -> bool:
    """True if `policy` on a key of `account` would let the caller call PutKeyPolicy later."""
    target = Target("kms:PutKeyPolicy", f"arn:aws:kms:{call.region}:{account}:key/*", account)
    place = call.standings.place(account, call.tx)
    policies = _together(call.standing, place, policy)
    return decide(_request(call, target, _KEY, CheckContext(call, target)), policies).allowed


def hidden(call: Call, target: Target) -> errors.AccessDenied:
    """The refusal for a key of another account that is not there, or is closed: in the same words, explained alike.

    What the caller's own policies lack or deny comes first: it is the same for every key that it could name.
    """
    place = call.standings.place(target.account, call.tx)
    request = _request(call, target, _KEY, CheckContext(call, target))
    policies = _together(call.standing, place, None)
    return _denied(call, target, request, policies, decide(request, policies))


def key_policy(key: Key) -> CompiledPolicy:
    """The key's policy compiled; once per version."""
    return compiled_key_policy(key.policy, key.principals)


@lru_cache(_MOST_COMPILED)
def compiled_key_policy(text: str, bound: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    """A key policy with the principals that it is bound to; what is looked at before it is stored is compiled then."""
    return compile_key_policy(text, dict(bound))


@lru_cache(_MOST_ALIKE)
def _alike(
    standing: Standing,
    action: str,
    place: Place,
    policy: CompiledPolicy,
    account: str,  # noqa: ARG001  part of the cache's key, as the next one
    manager: str,  # noqa: ARG001
) -> Alike:
    """What was found for keys that this policy is on, as long as neither it nor the caller's policies change."""
    return Alike(resource_tests(_together(standing, place, policy), action))


@lru_cache(_MOST_TOGETHER)
def _together(standing: Standing, place: Place, policy: CompiledPolicy | None) -> Policies:
    """The caller's policies, the resource's, and those that bind its account; kept until one of them changes."""
    return msgspec.structs.replace(
        standing.policies, resource=policy, resource_control=place.resource_control
    )


def _request(
    call: Call, target: Target, description: ResourceDescription, context: Context
) -> AuthorizationRequest:
    return AuthorizationRequest(
        principal=call.standing.principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        context=context,
        description=description,
        encryption_context=target.context or _NO_CONTEXT,
        child=_child(target.grant) if target.grant is not None else _NO_CHILD,
        from_ciphertext=target.from_ciphertext,
    )


def _described(target: Target, place: Place) -> ResourceDescription:
    if target.key is not None:
        return _DESCRIPTIONS[target.key.manager, place.management]
    return _DESCRIPTIONS["" if target.trust is None else CUSTOMER, place.management]


def _child(grant: key_grants.Grant) -> ChildGrant:
    return ChildGrant(operations=frozenset(grant.operations), constraints=_constraints(grant))


_grants: Final[dict[str, tuple[key_grants.Grant, Grant]]] = {}
"""Grants by id, as they are stored and as the evaluator takes them."""


def as_grant(grant: key_grants.Grant) -> Grant:
    """The grant as the evaluator takes it; worked out once per version."""
    known = _grants.get(grant.id)
    # The store returns the same object as long as nobody writes the record.
    if known is not None and known[0] is grant:
        return known[1]
    if len(_grants) >= _MOST_GRANTS:
        _grants.clear()
    made = _converted(grant)
    _grants[grant.id] = grant, made
    return made


def _converted(grant: key_grants.Grant) -> Grant:
    return Grant(
        grant_id=grant.id,
        key_arn=grant.key_arn,
        grantee=grant.grantee or grant.grantee_service or "",
        operations=frozenset(grant.operations),
        issuing_account=account_in(grant.issuing_account),
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
