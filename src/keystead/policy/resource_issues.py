"""ValidatePolicy's issues of Resource and NotResource: the form of ARNs, and which belong into which policy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.policy import pattern
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

_PARTS: Final = 6
_PARTITIONS: Final = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "*"})
REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+", re.ASCII)
_ACCOUNT: Final = re.compile(r"[0-9]{12}|aws", re.ASCII)
_VARIABLE: Final = re.compile(r"\$\{[^}]*\}")
_KMS_RESOURCE: Final = re.compile(r"(?:key|alias)/.+")
SERVICE_OF: Final[Mapping[str, str]] = {
    "AWS::KMS::Key": "kms",
    "AWS::S3::Bucket": "s3",
    "AWS::S3::AccessPoint": "s3",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::IAM::AssumeRolePolicyDocument": "sts",
}
"""The service whose actions and resources a policy of that type of resource speaks of."""


def on_resources(statement: Mapping[str, Any], path: Path, resource: str | None) -> Found:
    """The issues of the resources of a statement, in a policy of that type of resource, if it is known."""
    for name in ("Resource", "NotResource"):
        given = statement.get(name)
        entries = [
            ((*path, name) if isinstance(given, str) else (*path, name, index), entry)
            for index, entry in enumerate(given if isinstance(given, list) else [given])
            if type(entry) is str
        ]
        for place, entry in entries:
            if entry != "*":
                yield from _on_arn(entry, place, resource)
        yield from _redundant(entries)


def _on_arn(entry: str, place: Path, resource: str | None) -> Found:
    text = _VARIABLE.sub("*", entry)
    parts = text.split(":", _PARTS - 1)
    if parts[0] != "arn" and not _wild(parts[0]):
        yield "INVALID_ARN_PREFIX", place, f"{entry} is neither * nor an ARN, which begins with arn:."
        return
    if len(parts) < _PARTS or not parts[5]:
        if not _wild(text):
            yield "MISSING_ARN_FIELD", place, f"{entry} has not all six parts of an ARN."
        return
    _, partition, service, _, account, _ = parts
    if partition not in _PARTITIONS and not _wild(partition):
        yield "INVALID_PARTITION", place, f"{partition} is no partition; use aws, aws-cn or aws-us-gov."
    if service != service.lower():
        yield "INVALID_ARN_SERVICE_CASE", place, f"Write the service {service} in lower case."
    if account and not _wild(account) and not _ACCOUNT.fullmatch(account):
        yield "INVALID_ARN_ACCOUNT", place, f"The account {account} has not 12 digits."
    yield from _of_service(parts, place)
    wanted = SERVICE_OF.get(resource or "")
    if wanted is not None and service.lower() != wanted and not _wild(service):
        yield "UNSUPPORTED_RESOURCE_ARN_IN_POLICY", place, f"A policy of {resource} has no say about {entry}."


def _of_service(parts: list[str], place: Path) -> Found:
    _, _, service, region, account, named = parts
    if service == "kms":
        if not region:
            yield "MISSING_ARN_REGION", place, "ARNs of AWS KMS have a Region."
        elif not _wild(region) and not REGION.fullmatch(region):
            yield "INVALID_ARN_REGION", place, f"{region} is no Region."
        if not account:
            yield "MISSING_ARN_ACCOUNT", place, "ARNs of AWS KMS have an account."
        if not _KMS_RESOURCE.fullmatch(named) and not _wild(named[:5]):
            yield "INVALID_ARN_RESOURCE", place, "AWS KMS has keys (key/ID) and aliases (alias/NAME)."
    plain_bucket = service == "s3" and not named.startswith(("accesspoint", "storage-lens", "job"))
    if region and (service in ("iam", "sts") or plain_bucket) and not _wild(region):
        yield "ARN_REGION_NOT_ALLOWED", place, f"ARNs of {service} have no Region."
    if account and plain_bucket and not _wild(account):
        yield "ARN_ACCOUNT_NOT_ALLOWED", place, "ARNs of buckets and objects have no account."


def _wild(text: str) -> bool:
    return "*" in text or "?" in text


def _redundant(entries: list[tuple[Path, str]]) -> Found:
    """A resource that another entry of the same list covers."""
    for index, (place, entry) in enumerate(entries):
        if "?" in entry or "${" in entry:
            continue
        for at, (_, other) in enumerate(entries):
            same = other == entry and at < index
            if same or (other != entry and "${" not in other and pattern.glob(other)(entry)):
                yield "REDUNDANT_RESOURCE", place, f"{entry} is covered by {other}."
                break
