"""The condition keys: one row each, with the value that a request gives them.

A key whose value is None for a request is absent there. Sources: KMS Developer Guide, "Condition keys for
AWS KMS"; IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec

from keystead import arn
from keystead.policy import facts as said
from keystead.policy.actions import ACTIONS, KEY_CHECK_KEYS, find
from keystead.policy.facts import Facts
from keystead.policy.request import Value

KeyType = Literal["string", "arn", "bool", "number", "date", "ip"]
Scope = Literal["global", "key", "action"]
"""`global`: any request; `key`: checks on a key ARN; `action`: checks whose action lists the key."""


class ConditionKey(msgspec.Struct, frozen=True):
    """One condition key. `value` None means that only the transport or the server gives it."""

    name: str
    type: KeyType
    value: Callable[[Facts], Value | None] | None = None
    multi: bool = False
    scope: Scope = "action"
    in_key_policies: bool = True


class KeyFamily(msgspec.Struct, frozen=True):
    """Condition keys with a name of the caller's choice after a prefix (`aws:PrincipalTag/…`)."""

    prefix: str
    members: Callable[[Facts], Mapping[str, str]]
    scope: Scope = "action"


def actions_of(key: ConditionKey | KeyFamily) -> frozenset[str]:
    """The KMS actions that a key is available for."""
    name = key.prefix + "*" if isinstance(key, KeyFamily) else key.name
    return frozenset(
        action.name
        for action in ACTIONS.values()
        if key.scope == "global"
        or name in action.keys
        or ("key" in action.targets and (key.scope == "key" or name in KEY_CHECK_KEYS))
    )


# ------------------------------------------------------------------------------- who

_SESSIONS: Final = frozenset({"assumedRole", "federatedUser", "role"})
_TYPE_NAMES: Final = {
    "user": "User",
    "assumedRole": "AssumedRole",
    "role": "AssumedRole",
    "federatedUser": "FederatedUser",
    "root": "Account",
    "service": "Service",
    "webIdentity": "Anonymous",
    "anonymous": "Anonymous",
}


def _principal_arn(facts: Facts) -> str | None:
    caller = facts.principal
    return (caller.role_arn if caller.type in ("assumedRole", "role") else caller.arn) or None


def _username(facts: Facts) -> str | None:
    caller = facts.principal
    return caller.arn.rpartition("/")[2] if caller.type == "user" else None


def _user_id(facts: Facts) -> str | None:
    caller = facts.principal
    if caller.type == "root":
        return caller.account
    if caller.type == "federatedUser" and not caller.user_id:
        return f"{caller.account}:{caller.arn.rpartition('/')[2]}"
    return (caller.user_id or None) if caller.type != "service" else None


def _mfa_present(facts: Facts) -> str | None:
    """Absent with long-term credentials, which a user and a root user have unless a session says else."""
    caller = facts.principal
    if caller.type == "service":
        return None
    if caller.type in _SESSIONS or caller.mfa_present or caller.token_issue_time:
        return "true" if caller.mfa_present else "false"
    return None


def _mfa_age(facts: Facts) -> str | None:
    return (facts.principal.mfa_age or None) if facts.principal.mfa_present else None


def _service(facts: Facts) -> str | None:
    return facts.principal.service if facts.principal.type == "service" else None


def _service_names(facts: Facts) -> tuple[str, ...] | None:
    return (facts.principal.service,) if facts.principal.type == "service" else None


def _of_caller(name: str) -> Callable[[Facts], str | None]:
    """An attribute of the caller; a service principal has none of them."""
    return lambda facts: None if facts.principal.type == "service" else getattr(facts.principal, name) or None


def _org_paths(facts: Facts) -> tuple[str, ...] | None:
    path = facts.principal.org_path if facts.principal.type != "service" else ""
    return (path,) if path else None


def _principal_tags(facts: Facts) -> Mapping[str, str]:
    return {} if facts.principal.type in ("service", "root") else facts.principal.tags


# ------------------------------------------------------------------------------- how


def _region(facts: Facts) -> str | None:
    named = arn.split(facts.resource)
    return (named.region or None) if named is not None else None


def _via_service(facts: Facts) -> str:
    through = facts.given.get("kms:viaservice") or facts.given.get("aws:calledvia")
    return "true" if through else "false"


def _called_via(position: int) -> Callable[[Facts], str | None]:
    def value(facts: Facts) -> str | None:
        chain = facts.given.get("aws:calledvia")
        return chain[position] if chain and not isinstance(chain, str) else None

    return value


# ------------------------------------------------------------------------------ what


def _replicates(facts: Facts) -> bool:
    """Whether the parameters are ReplicateKey's, whose CreateKey makes a key like the one that is described."""
    return facts.parameters.get("ReplicaRegion") is not None


def _attribute(name: str, *parameters: str, default: str) -> Callable[[Facts], str | None]:
    """A key's attribute; for CreateKey the one asked for, or its default."""

    def value(facts: Facts) -> str | None:
        if said.operation(facts) != "CreateKey" or _replicates(facts):
            return said.text(getattr(facts.description, name)) or None
        asked = (said.text(facts.parameters.get(parameter)) for parameter in parameters)
        return next(filter(None, asked), default)

    return value


def _multi_region_type(facts: Facts) -> str | None:
    if said.operation(facts) != "CreateKey":
        return facts.description.multi_region_key_type or None
    if _replicates(facts):
        return "REPLICA"
    return "PRIMARY" if facts.parameters.get("MultiRegion") is True else None


def _aliases(facts: Facts) -> tuple[str, ...] | None:
    return facts.description.aliases or None


def _resource_org_paths(facts: Facts) -> tuple[str, ...] | None:
    return (facts.description.org_path,) if facts.description.org_path else None


def _resource_tags(facts: Facts) -> Mapping[str, str]:
    created = said.operation(facts) == "CreateKey"
    return said.tags(facts.parameters) if created else facts.description.tags


def _request_tags(facts: Facts) -> Mapping[str, str]:
    return {} if said.operation(facts) == "UntagResource" else said.tags(facts.parameters)


def _tag_keys(facts: Facts) -> tuple[str, ...] | None:
    return said.tag_keys(facts) or None


# ----------------------------------------------------------------------- parameters

_KEY_MEMBERS: Final = {"ReEncryptFrom": "SourceKeyId", "ReEncryptTo": "DestinationKeyId"}
_OTHER_KEY: Final = {"ReEncryptFrom": "DestinationKeyId", "ReEncryptTo": "SourceKeyId"}
_ALGORITHMS: Final = {
    "ReEncryptFrom": "SourceEncryptionAlgorithm",
    "ReEncryptTo": "DestinationEncryptionAlgorithm",
}


def _parameter(name: str, default: str | None = None) -> Callable[[Facts], str | None]:
    def value(facts: Facts) -> str | None:
        return said.text(facts.parameters.get(name)) or default

    return value


def _list_parameter(name: str) -> Callable[[Facts], tuple[str, ...] | None]:
    return lambda facts: said.texts(facts.parameters.get(name)) or None


def _algorithm(facts: Facts) -> str:
    name = _ALGORITHMS.get(said.operation(facts), "EncryptionAlgorithm")
    return said.text(facts.parameters.get(name)) or "SYMMETRIC_DEFAULT"


def _request_alias(facts: Facts) -> str | None:
    named = said.text(facts.parameters.get(_KEY_MEMBERS.get(said.operation(facts), "KeyId"))) or ""
    name = named.split(":", 5)[-1]
    return name if name.startswith("alias/") else None


def _same_key(facts: Facts) -> str | None:
    """Compares the other half's key, if it is named by id or ARN; the server knows it in all cases."""
    other = said.text(facts.parameters.get(_OTHER_KEY.get(said.operation(facts), ""))) or ""
    if not other or other.split(":", 5)[-1].startswith("alias/"):
        return None
    this = facts.resource if other.startswith("arn:") else facts.resource.rpartition("/")[2]
    return "true" if other == this else "false"


def _context_names(facts: Facts) -> tuple[str, ...] | None:
    return tuple(said.context_pairs(facts)) or None


def _constraint_type(facts: Facts) -> str | None:
    constraints = said.constraints_spoken_of(facts)
    if constraints is None:
        return None
    if constraints.encryption_context_equals is not None:
        return "EncryptionContextEquals"
    return "EncryptionContextSubset" if constraints.encryption_context_subset is not None else None


def _constraint_source(facts: Facts) -> str | None:
    constraints = said.constraints_spoken_of(facts)
    return None if constraints is None else constraints.source_arn


_ROWS: Final[tuple[ConditionKey, ...]] = (
    ConditionKey("aws:PrincipalArn", "arn", _principal_arn, scope="global"),
    ConditionKey("aws:PrincipalAccount", "string", _of_caller("account"), scope="global"),
    ConditionKey("aws:PrincipalType", "string", lambda f: _TYPE_NAMES[f.principal.type], scope="global"),
    ConditionKey("aws:username", "string", _username, scope="global"),
    ConditionKey("aws:userid", "string", _user_id, scope="global"),
    ConditionKey("aws:PrincipalOrgID", "string", _of_caller("org_id"), scope="global"),
    ConditionKey("aws:PrincipalOrgPaths", "string", _org_paths, multi=True, scope="global"),
    ConditionKey(
        "aws:PrincipalIsAWSService", "bool",
        lambda f: "true" if f.principal.type == "service" else "false", scope="global",
    ),
    ConditionKey("aws:PrincipalServiceName", "string", _service, scope="global"),
    ConditionKey("aws:PrincipalServiceNamesList", "string", _service_names, multi=True, scope="global"),
    ConditionKey("aws:TokenIssueTime", "date", _of_caller("token_issue_time"), scope="global"),
    ConditionKey("aws:MultiFactorAuthPresent", "bool", _mfa_present, scope="global"),
    ConditionKey("aws:MultiFactorAuthAge", "number", _mfa_age, scope="global"),
    ConditionKey("aws:FederatedProvider", "string", scope="global"),
    ConditionKey("aws:SourceIdentity", "string", _of_caller("source_identity"), scope="global"),
    ConditionKey("aws:AssumedRoot", "bool", scope="global"),
    ConditionKey("aws:Ec2InstanceSourceVpc", "string", scope="global"),
    ConditionKey("aws:Ec2InstanceSourcePrivateIPv4", "ip", scope="global"),
    ConditionKey("aws:SourceIp", "ip", scope="global"),
    ConditionKey("aws:VpcSourceIp", "ip", scope="global"),
    ConditionKey("aws:SourceVpc", "string", scope="global"),
    ConditionKey("aws:SourceVpce", "string", scope="global"),
    ConditionKey("aws:SourceVpcArn", "arn", scope="global"),
    ConditionKey("aws:VpceAccount", "string", scope="global"),
    ConditionKey("aws:VpceOrgID", "string", scope="global"),
    ConditionKey("aws:VpceOrgPaths", "string", scope="global"),
    ConditionKey("aws:SecureTransport", "bool", scope="global"),
    ConditionKey("aws:UserAgent", "string", scope="global"),
    ConditionKey("aws:referer", "string", scope="global"),
    ConditionKey("aws:CurrentTime", "date", scope="global"),
    ConditionKey("aws:EpochTime", "date", scope="global"),
    ConditionKey("aws:RequestedRegion", "string", _region, scope="global"),
    ConditionKey("aws:ViaAWSService", "bool", _via_service, scope="global"),
    ConditionKey("aws:CalledVia", "string", multi=True, scope="global"),
    ConditionKey("aws:CalledViaFirst", "string", _called_via(0), scope="global"),
    ConditionKey("aws:CalledViaLast", "string", _called_via(-1), scope="global"),
    ConditionKey("aws:SourceArn", "arn", scope="global"),
    ConditionKey("aws:SourceAccount", "string", scope="global"),
    ConditionKey("aws:SourceOrgID", "string", scope="global"),
    ConditionKey("aws:SourceOrgPaths", "string", multi=True, scope="global"),
    ConditionKey("aws:TagKeys", "string", _tag_keys, multi=True),
    ConditionKey("aws:ResourceAccount", "string", lambda f: f.account or None, scope="key"),
    ConditionKey("aws:ResourceOrgID", "string", lambda f: f.description.org_id or None, scope="key"),
    ConditionKey("aws:ResourceOrgPaths", "string", _resource_org_paths, multi=True, scope="key"),
    ConditionKey("kms:BypassPolicyLockoutSafetyCheck", "bool", _parameter("BypassPolicyLockoutSafetyCheck")),
    ConditionKey("kms:CallerAccount", "string", _of_caller("account")),
    ConditionKey("kms:DataKeyPairSpec", "string", _parameter("KeyPairSpec")),
    ConditionKey("kms:EncryptionAlgorithm", "string", _algorithm),
    ConditionKey("kms:EncryptionContextKeys", "string", _context_names, multi=True),
    ConditionKey("kms:ExpirationModel", "string", _parameter("ExpirationModel")),
    ConditionKey("kms:GrantConstraintSourceArn", "arn", _constraint_source),
    ConditionKey("kms:GrantConstraintType", "string", _constraint_type),
    ConditionKey("kms:GrantIsForAWSResource", "bool", _via_service),
    ConditionKey("kms:GrantOperations", "string", _list_parameter("Operations"), multi=True),
    ConditionKey("kms:GranteePrincipal", "string", _parameter("GranteePrincipal")),
    ConditionKey("kms:GranteeServicePrincipal", "string", _parameter("GranteeServicePrincipal")),
    ConditionKey("kms:KeyAgreementAlgorithm", "string", _parameter("KeyAgreementAlgorithm")),
    ConditionKey("kms:KeyOrigin", "string", _attribute("origin", "Origin", default="AWS_KMS")),
    ConditionKey(
        "kms:KeySpec", "string",
        _attribute("key_spec", "KeySpec", "CustomerMasterKeySpec", default="SYMMETRIC_DEFAULT"),
    ),
    ConditionKey("kms:KeyUsage", "string", _attribute("key_usage", "KeyUsage", default="ENCRYPT_DECRYPT")),
    ConditionKey("kms:MacAlgorithm", "string", _parameter("MacAlgorithm")),
    ConditionKey("kms:MessageType", "string", _parameter("MessageType", "RAW")),
    ConditionKey("kms:MultiRegion", "bool", _attribute("multi_region", "MultiRegion", default="false")),
    ConditionKey("kms:MultiRegionKeyType", "string", _multi_region_type),
    ConditionKey("kms:PolicyName", "string", _parameter("PolicyName", "default")),
    ConditionKey("kms:PrimaryRegion", "string", _parameter("PrimaryRegion")),
    ConditionKey("kms:ReEncryptOnSameKey", "bool", _same_key),
    ConditionKey("kms:ReplicaRegion", "string", _parameter("ReplicaRegion")),
    ConditionKey("kms:RequestAlias", "string", _request_alias),
    ConditionKey("kms:ResourceAliases", "string", _aliases, multi=True, in_key_policies=False),
    ConditionKey("kms:RetiringPrincipal", "string", _parameter("RetiringPrincipal")),
    ConditionKey("kms:RetiringServicePrincipal", "string", _parameter("RetiringServicePrincipal")),
    ConditionKey("kms:RotationPeriodInDays", "number", _parameter("RotationPeriodInDays", "365")),
    ConditionKey(
        "kms:ScheduleKeyDeletionPendingWindowInDays", "number", _parameter("PendingWindowInDays", "30")
    ),
    ConditionKey("kms:SigningAlgorithm", "string", _parameter("SigningAlgorithm")),
    ConditionKey("kms:TrailingDaysWithoutKeyUsage", "number"),
    ConditionKey("kms:ValidTo", "date", _parameter("ValidTo")),
    ConditionKey("kms:ViaService", "string"),
    ConditionKey("kms:WrappingAlgorithm", "string", _parameter("WrappingAlgorithm")),
    ConditionKey("kms:WrappingKeySpec", "string", _parameter("WrappingKeySpec")),
)  # fmt: skip

_SYNONYMS: Final = {
    "kms:CustomerMasterKeySpec": "kms:KeySpec",
    "kms:CustomerMasterKeyUsage": "kms:KeyUsage",
}
"""Deprecated names that always carry the same value."""

CONDITION_KEYS: Final[dict[str, ConditionKey]] = {row.name.lower(): row for row in _ROWS}
CONDITION_KEYS.update(
    (old.lower(), msgspec.structs.replace(CONDITION_KEYS[new.lower()], name=old))
    for old, new in _SYNONYMS.items()
)
"""Every condition key by its name in lower case."""

FAMILIES: Final[tuple[KeyFamily, ...]] = (
    KeyFamily("kms:EncryptionContext:", said.context_pairs),
    KeyFamily("kms:RecipientAttestation:", lambda _facts: {}),
    KeyFamily("aws:PrincipalTag/", _principal_tags, scope="global"),
    KeyFamily("aws:RequestTag/", _request_tags),
    KeyFamily("aws:ResourceTag/", _resource_tags),
)


def available(facts: Facts, key: ConditionKey | KeyFamily) -> bool:
    """Whether the key has a value at all in a check of this action on this resource."""
    if key.scope == "global":
        return True
    on_key = said.is_key(facts.resource)
    if key.scope == "key":
        return on_key
    name = key.prefix + "*" if isinstance(key, KeyFamily) else _SYNONYMS.get(key.name, key.name)
    row = find(facts.action)
    return row is not None and (name in row.keys or (on_key and name in KEY_CHECK_KEYS))
