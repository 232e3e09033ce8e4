"""Callers as events tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keystead.audit.identity import Identity
from keystead.policy.request import Principal, PrincipalType

_TYPES: Final[Mapping[str, PrincipalType]] = {
    "IAMUser": "user",
    "AssumedRole": "assumedRole",
    "FederatedUser": "federatedUser",
    "Root": "root",
    "AWSService": "service",
}


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who called, and the service that called for it, empty if none did."""

    principal: Principal
    invoked_by: str = ""


def caller_of(identity: Identity) -> Caller | None:
    """The caller; None of one that another account's event names."""
    kind = _TYPES.get(identity.type)
    if kind is None:
        return None
    if kind == "service":
        return Caller(Principal(type="service", service=identity.invoked_by))
    issuer, attributes, unique = identity.issuer, identity.attributes, identity.principal_id
    return Caller(
        Principal(
            type=kind,
            arn=identity.arn,
            account=identity.account_id,
            role_arn=issuer.arn if kind == "assumedRole" else "",
            issuer_arn=issuer.arn if kind == "federatedUser" else "",
            issuer_id=issuer.principal_id if kind == "federatedUser" else "",
            user_id=unique,
            unique_id=unique.partition(":")[0] if kind in {"user", "assumedRole"} else "",
            mfa_present=attributes.mfa_authenticated == "true" if attributes.mfa_authenticated else None,
            token_issue_time=attributes.creation_date,
            source_identity=identity.source_identity,
        ),
        identity.invoked_by,
    )
