"""What a CloudFormation template declares.

Source: AWS CloudFormation Template Reference, `AWS::KMS::*`, `AWS::IAM::*`, `AWS::S3::Bucket`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.templates.declared import UNKNOWN, Bucket, Declared, Key, Policy, Unknown
from keystead.templates.intrinsics import Scope, has_unknown
from keystead.templates.yaml import LINE

_HOLDERS: Final = frozenset({"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"})


def declared(template: Mapping[str, Any], account: str, region: str, given: Mapping[str, str]) -> Declared:
    """The keys, identity policies and buckets; a resource whose condition does not hold is not there."""
    scope = Scope(template, account, region, given)
    keys: list[Key] = []
    policies: list[Policy] = []
    buckets: list[Bucket] = []
    for name, resource in template["Resources"].items():
        if name == LINE or not isinstance(resource, Mapping):
            continue
        if "Condition" in resource and scope.condition(resource["Condition"]) is False:
            continue
        kind, line = resource.get("Type"), resource.get(LINE)
        properties = scope.resolve(resource.get("Properties") or {})
        if not isinstance(properties, Mapping):
            properties = {}
        if kind in ("AWS::KMS::Key", "AWS::KMS::ReplicaKey"):
            keys.append(_key(name, line, properties, replica=kind == "AWS::KMS::ReplicaKey"))
        elif kind == "AWS::S3::Bucket":
            buckets.append(_bucket(name, line, properties))
        policies += _policies(name, line, str(kind), properties)
    return Declared(keys=tuple(keys), policies=tuple(policies), buckets=tuple(buckets), account=account)


def _key(name: str, line: int | None, properties: Mapping[str, Any], *, replica: bool) -> Key:
    return Key(
        address=name,
        line=line,
        policy=_text(properties.get("KeyPolicy")),
        rotation=_flag(properties.get("EnableKeyRotation"), default=False),
        rotation_days=_number(properties.get("RotationPeriodInDays")),
        enabled=_flag(properties.get("Enabled"), default=True),
        spec=str(properties.get("KeySpec", "SYMMETRIC_DEFAULT")),
        usage=str(properties.get("KeyUsage", "ENCRYPT_DECRYPT")),
        origin=str(properties.get("Origin", "AWS_KMS")),
        multi_region=replica or _flag(properties.get("MultiRegion"), default=False),
        replica=replica,
        scanned=not replica,
    )


def _policies(name: str, line: int | None, kind: str, properties: Mapping[str, Any]) -> Iterator[Policy]:
    if kind == "AWS::IAM::ManagedPolicy":
        yield Policy(address=name, line=line, place="managed", text=_document(properties))
    elif kind in (
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::UserPolicy",
        "AWS::IAM::GroupPolicy",
    ):
        yield Policy(address=name, line=line, place="inline", text=_document(properties))
    elif kind in _HOLDERS:
        held = properties.get("Policies")
        for one in held if isinstance(held, list) else ():
            if isinstance(one, Mapping):
                address = f"{name}.{one.get('PolicyName', '')}"
                yield Policy(address=address, line=line, place="inline", text=_document(one))


def _bucket(name: str, line: int | None, properties: Mapping[str, Any]) -> Bucket:
    held = properties.get("BucketEncryption")
    if held is None:
        return Bucket(address=name, line=line)
    try:
        rule = held["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]
        return Bucket(address=name, line=line, algorithm=rule["SSEAlgorithm"], key=rule.get("KMSMasterKeyID"))
    except (KeyError, IndexError, TypeError, AttributeError):
        return Bucket(address=name, line=line, algorithm=UNKNOWN)


def _document(properties: Mapping[str, Any]) -> str | Unknown:
    text = _text(properties.get("PolicyDocument"))
    return UNKNOWN if text is None else text


def _text(value: Any) -> str | Unknown | None:
    if value is None:
        return None
    if has_unknown(value):
        return UNKNOWN
    return value if isinstance(value, str) else json.dumps(value, indent=2)


def _flag(value: Any, *, default: bool) -> bool:
    """A truth value as templates write it: also in quotes."""
    if isinstance(value, str):
        return value.lower() == "true"
    return value if isinstance(value, bool) else default


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
