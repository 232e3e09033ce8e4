"""May the caller do this? Denied unless a policy or a grant allows it.

One evaluator decides for every service; here its question is put together: who asks, for what, under
which circumstances, and which policies have a say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from keystead import errors
from keystead.api.call import Call, Target
from keystead.api.condition_keys import NOT_A_KEY, CheckContext
from keystead.identity import Caller
from keystead.identity.caller import ROOT
from keystead.keys import grant as key_grants
from keystead.policy import (
    AuthorizationRequest,
    ChildGrant,
    CompiledPolicy,
    Constraints,
    Grant,
    Policies,
    Principal,
    ResourceDescription,
    compile_key_policy,
    decide,
)
from keystead.policy.explain import missing_resource
from keystead.policy.request import PrincipalType

_MOST_COMPILED: Final = 4096
_KEY: Final = ResourceDescription(trust="keyPolicy")
_NO_POLICIES: Final = Policies()
_NO_CHILD: Final = ChildGrant()
_PRINCIPAL_TYPES: Final[dict[str, PrincipalType]] = {ROOT: "root"}
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
    key = target.key
    if key is None:
        decision = decide(request, _NO_POLICIES)
    elif target.action == _RETIRE:
        # The grant decides (KMS Developer Guide, "Retiring and revoking grants"); no other has a say.
        assert target.grant is not None
        decision = decide(request, Policies(resource=_policy(key.policy), grants=(_as_policy(target.grant),)))
    else:
        decision = decide(request, _policies(key.policy))
        if decision.effect == "implicitDeny":
            # Grants only ever allow, so they are looked up only where nothing else does.
            grants = tuple(_as_policy(grant) for grant in call.relations.grants(call.tx, key))
            if grants:
                decision = decide(request, Policies(resource=_policy(key.policy), grants=grants))
    if not decision.allowed:
        raise errors.AccessDenied(decision.message)


def may_change_policy(call: Call, policy: str, account: str) -> bool:
    """True if `policy` on a key of `account` would let the caller call PutKeyPolicy later."""
    target = Target("kms:PutKeyPolicy", f"arn:aws:kms:{call.region}:{account}:key/*", account)
    return decide(_request(call, target, _KEY), _policies(policy)).allowed


def hidden(call: Call, action: str, *, from_ciphertext: bool = False) -> errors.AccessDenied:
    """The refusal for a key of another account that is not there, in the words for one that is closed."""
    request = AuthorizationRequest(
        principal=_principal(call.caller),
        action=action,
        resource="*",
        account="",
        context={},
        from_ciphertext=from_ciphertext,
    )
    return errors.AccessDenied(missing_resource(request))


@lru_cache(_MOST_COMPILED)
def _policy(text: str) -> CompiledPolicy:
    """The policy compiled; once per version, since the text is the version."""
    return compile_key_policy(text)


@lru_cache(_MOST_COMPILED)
def _policies(text: str) -> Policies:
    return Policies(resource=_policy(text))


@lru_cache(_MOST_COMPILED)
def _principal(caller: Caller) -> Principal:
    return Principal(
        type=_PRINCIPAL_TYPES[caller.kind],
        arn=caller.arn,
        account=caller.account,
        user_id=caller.principal_id,
    )


def _request(
    call: Call, target: Target, description: ResourceDescription | None = None
) -> AuthorizationRequest:
    principal = _principal(call.caller)
    return AuthorizationRequest(
        principal=principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        context=CheckContext(call, target, principal),
        description=description or (NOT_A_KEY if target.key is None else _KEY),
        encryption_context=target.context or {},
        child=_child(target.grant) if target.grant is not None else _NO_CHILD,
        from_ciphertext=target.from_ciphertext,
    )


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
