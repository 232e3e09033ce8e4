"""What condition keys are worth for one check of one call; worked out only when a policy speaks of one.

The keys themselves, one row each, are the policy room's table. Here is what only a live request knows: how
it came, what the operation says of its parameters, and what belongs to the key.
"""

from __future__ import annotations

from functools import partial

import msgspec

from keystead.api.call import Call, Target
from keystead.api.standing import instant
from keystead.identity.caller import AWS_SERVICE
from keystead.policy import DerivedContext, Facts, ResourceDescription
from keystead.policy.request import Value

NOT_A_KEY = ResourceDescription(trust="standard")


class CheckContext:
    """The condition keys of one check."""

    __slots__ = ("_call", "_derived", "_target")

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._derived: DerivedContext | None = None

    def get(self, key: str, /) -> Value | None:
        """The value of the condition key with this lower-case name, None if it is absent."""
        derived = self._derived
        if derived is None:
            call, target = self._call, self._target
            given = _given(call, target)
            derived = self._derived = DerivedContext(given, partial(_facts, call, target, given))
        return derived.get(key)


def facts_of(call: Call, target: Target) -> Facts:
    """Everything that the condition keys of one check speak of."""
    return _facts(call, target, _given(call, target))


def _facts(call: Call, target: Target, given: dict[str, Value]) -> Facts:
    return Facts(
        principal=call.standing.principal,
        action=target.action,
        resource=target.resource,
        account=target.account,
        description=_description(call, target),
        given=given,
    )


def _given(call: Call, target: Target) -> dict[str, Value]:
    """What is known of the request itself, and need not be derived."""
    return _transport(call) | _session(call) | _through(call) | _named(target)


def _transport(call: Call) -> dict[str, Value]:
    return {
        "aws:sourceip": call.source_ip,
        "aws:securetransport": "true" if call.secure else "false",
        "aws:currenttime": instant(int(call.now)),
        "aws:epochtime": str(int(call.now)),
        "aws:requestedregion": call.region,
        "aws:useragent": call.user_agent,
    }


def _session(call: Call) -> dict[str, Value]:
    """What the caller's temporary credentials carry: the age of a second factor, and who vouched for it."""
    session = call.caller.session
    if session is None:
        return {}
    given: dict[str, Value] = dict(session.facts)
    if session.mfa is not None:
        given["aws:multifactorauthage"] = str(max(0, int(call.now - session.mfa)))
    if session.provider:
        given["aws:federatedprovider"] = session.provider
    return given


def _through(call: Call) -> dict[str, Value]:
    """The services through which the request came (IAM User Guide, "AWS global condition context keys")."""
    via = call.via
    if via is None:
        return {}
    given: dict[str, Value] = {}
    if call.caller.kind != AWS_SERVICE:
        given["aws:calledvia"] = via.services
        given["kms:viaservice"] = via_service(via.services[-1], via.region)
    if via.source_arn:
        given["aws:sourcearn"] = via.source_arn
    if via.source_account:
        given["aws:sourceaccount"] = via.source_account
        place = call.standings.place(via.source_account, call.tx)
        if place.org_id:
            given["aws:sourceorgid"] = place.org_id
            given["aws:sourceorgpaths"] = (place.org_path,)
    return given


def via_service(service: str, region: str) -> str:
    """What `kms:ViaService` calls a service principal: `s3.us-east-1.amazonaws.com` for `s3.amazonaws.com`."""
    return f"{service.split('.', 1)[0]}.{region}.amazonaws.com"


def _named(target: Target) -> dict[str, Value]:
    """What the operation says: its facts, the encryption context and the alias that named the key."""
    context = target.context or {}
    given: dict[str, Value] = {
        f"kms:encryptioncontext:{name.lower()}": text for name, text in context.items()
    }
    if context:
        given["kms:encryptioncontextkeys"] = tuple(context)
    if target.alias is not None:
        given["kms:requestalias"] = target.alias
    for name, value in (target.facts or {}).items():
        given[name.lower()] = value if isinstance(value, str) else tuple(value)
    return given


def _description(call: Call, target: Target) -> ResourceDescription:
    place = call.standing.place
    if target.account != call.account:
        place = call.standings.place(target.account, call.tx)
    key = target.key
    if key is None:
        return msgspec.structs.replace(NOT_A_KEY, org_id=place.org_id, org_path=place.org_path)
    return ResourceDescription(
        trust="keyPolicy",
        key_manager="CUSTOMER" if key.manager == "CUSTOMER" else "AWS",
        tags=key.tags,
        aliases=call.relations.aliases(call.tx, key),
        key_spec=key.spec,
        key_usage=key.usage,
        origin=key.origin,
        multi_region=key.multi_region is not None,
        multi_region_key_type=key.multi_region.role if key.multi_region else "",
        org_id=place.org_id,
        org_path=place.org_path,
    )
