"""Resources as somebody proposes them: what there is, with what the configuration of a preview puts in its place.

Source: IAM Access Analyzer API reference, KmsKeyConfiguration, IamRoleConfiguration, S3BucketConfiguration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.analyzed import BUCKET, KEY, ROLE, Analyzed, Type
from keystead.api.directory import bind
from keystead.policy import default_key_policy, named_principals
from keystead.policy.principal import account_of
from keystead.policy.request import Constraints, Grant
from keystead.services.accessanalyzer.tables import Analyzer
from keystead.wire.models import accessanalyzer as wire

_DEFAULT: Final = "default"
_ARNS: Final[dict[Type, str]] = {
    KEY: r"arn:aws:kms:{region}:{account}:key/[A-Za-z0-9-]+",
    ROLE: r"arn:aws:iam::{account}:role/[\x21-\x7e]+",
    BUCKET: r"arn:aws:s3:::[a-z0-9.-]{{3,63}}",
}


class InvalidConfigurationError(errors.KeysteadError):
    """The configuration cannot be one: the preview fails."""


def proposed(
    call: Call, analyzer: Analyzer, arn: str, asked: wire.Configuration, present: Analyzed | None
) -> Analyzed:
    """The resource as it would be.

    Raises:
        errors.Validation: it is of a type that is not analyzed here, or not of the analyzer's account and Region.
        InvalidConfigurationError: the configuration says what cannot be.
    """
    given = [name for name, _ in _KINDS if getattr(asked, name) is not None]
    others = [member.name for member in asked.MEMBERS if getattr(asked, member.attribute) is not None]
    if len(others) != 1:
        raise errors.Validation("A configuration is of exactly one type of resource.")
    if not given:
        raise errors.Validation(
            f"Resources of the type {others[0]} are not analyzed here.", reason="notSupported"
        )
    kind, propose = dict(_KINDS)[given[0]]
    pattern = _ARNS[kind].format(region=re.escape(analyzer.region), account=analyzer.account)
    if re.fullmatch(pattern, arn, re.ASCII) is None:
        raise errors.Validation(
            f"{arn} is not the ARN of such a resource in the analyzer's account and Region."
        )
    start = present or Analyzed(arn=arn, type=kind, account=analyzer.account, policy="")
    return propose(call, start, getattr(asked, given[0]), present is None)


def _with_policy(call: Call, start: Analyzed, text: str) -> Analyzed:
    """The resource with another policy, whose principals are those that are there now.

    Raises:
        InvalidConfigurationError: it is no policy.
    """
    try:
        bound, _ = bind(call.tx, named_principals(text)) if text else ({}, [])
    except errors.MalformedPolicyDocument as error:
        raise InvalidConfigurationError(error.message) from None
    return msgspec.structs.replace(start, policy=text, bound=tuple(sorted(bound.items())))


def _key(call: Call, start: Analyzed, asked: wire.KmsKeyConfiguration, new: bool) -> Analyzed:
    policies = asked.key_policies or {}
    if not policies.keys() <= {_DEFAULT} or policies.get(_DEFAULT) == "":
        raise InvalidConfigurationError("The only policy of a key is called default, and is not empty.")
    text = policies.get(_DEFAULT) or (default_key_policy(start.account) if new else None)
    changed = start if text is None else _with_policy(call, start, text)
    if asked.grants is None:
        return changed
    return msgspec.structs.replace(changed, grants=_grants(start.arn, asked.grants))


def _grants(arn: str, given: Sequence[wire.KmsGrantConfiguration]) -> tuple[Grant, ...]:
    return tuple(
        Grant(
            grant_id=f"proposed-{number}",
            key_arn=arn,
            grantee=one.grantee_principal or "",
            retiring=one.retiring_principal or "",
            operations=frozenset(one.operations or ()),
            issuing_account=account_of(one.issuing_account or "") or "",
            constraints=_constraints(one.constraints),
        )
        for number, one in enumerate(given)
    )


def _constraints(given: wire.KmsGrantConstraints | None) -> Constraints:
    """The constraints; an empty map is as none (KmsGrantConstraints).

    Raises:
        InvalidConfigurationError: there are two.
    """
    equals, subset = (None, None) if given is None else (
        given.encryption_context_equals or None, given.encryption_context_subset or None
    )  # fmt: skip
    if equals and subset:
        raise InvalidConfigurationError("A grant has one kind of constraint on the encryption context.")
    return Constraints(encryption_context_equals=equals, encryption_context_subset=subset)


def _role(call: Call, start: Analyzed, asked: wire.IamRoleConfiguration, new: bool) -> Analyzed:
    if asked.trust_policy == "" or (new and asked.trust_policy is None):
        raise InvalidConfigurationError("A role has a trust policy.")
    return start if asked.trust_policy is None else _with_policy(call, start, asked.trust_policy)


def _bucket(call: Call, start: Analyzed, asked: wire.S3BucketConfiguration, _new: bool) -> Analyzed:
    if asked.bucket_acl_grants or asked.access_points:
        raise errors.Validation("Buckets have no ACLs and no access points here.", reason="notSupported")
    block = asked.bucket_public_access_block
    changed = start if asked.bucket_policy is None else _with_policy(call, start, asked.bucket_policy)
    return (
        changed
        if block is None
        else msgspec.structs.replace(changed, restrict=bool(block.restrict_public_buckets))
    )


_Propose = Callable[[Call, Analyzed, Any, bool], Analyzed]
_KINDS: Final[tuple[tuple[str, tuple[Type, _Propose]], ...]] = (
    ("kms_key", (KEY, _key)),
    ("iam_role", (ROLE, _role)),
    ("s3_bucket", (BUCKET, _bucket)),
)
"""The configurations that are understood, by the member that holds them."""


def encoded(configurations: Mapping[str, wire.Configuration]) -> bytes:
    """Configurations as they are kept."""
    return msgspec.json.encode(configurations)


def decoded(kept: bytes) -> dict[str, wire.Configuration]:
    """What `encoded` was given."""
    return msgspec.json.decode(kept, type=dict[str, wire.Configuration])
