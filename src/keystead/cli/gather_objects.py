"""What buckets hold under each key, by the head of each version of each object."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import msgspec

from keystead.analysis.advisor import Held, accounts_let_in
from keystead.cli.gather import Clients

_NONE: Final = frozenset({
    "NoSuchBucketPolicy", "NoSuchTagSet", "NoSuchLifecycleConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket", "NoSuchKey", "404", "400", "NotImplemented",
    "MethodNotAllowed", "405", "NoSuchVersion",
})  # fmt: skip
"""Settings that a bucket lacks, objects that went meanwhile, and those under a caller's key."""


def held_under(clients: Clients, account: str, most: int) -> dict[str, tuple[Held, ...]]:
    """What the account's buckets hold, by the ARN of the key; of each bucket `most` versions are looked at."""
    found: dict[str, list[Held]] = {}
    buckets: list[str] = clients.unless_hidden("which buckets there are", lambda: _buckets(clients), [])
    for bucket in buckets:
        for arn, held in _bucket(clients, bucket, account, most).items():
            found.setdefault(arn, []).append(held)
    return {arn: tuple(each) for arn, each in found.items()}


def _buckets(clients: Clients) -> list[str]:
    return [one["Name"] for one in clients["s3"].list_buckets().get("Buckets", ())]


def _bucket(clients: Clients, bucket: str, account: str, most: int) -> dict[str, Held]:
    s3 = clients["s3"]

    def ask(what: str, member: str, default: Any) -> Any:
        call = getattr(s3, f"get_bucket_{what}")
        return clients.unless_hidden(
            f"the {what} of bucket {bucket}", lambda: call(Bucket=bucket).get(member, default), default, _NONE
        )

    tags = {tag["Key"]: tag["Value"] for tag in ask("tagging", "TagSet", [])}
    rules = ask("lifecycle_configuration", "Rules", [])
    about = Held(
        bucket=bucket,
        readers=accounts_let_in(ask("policy", "Policy", ""), account),
        tags=tags,
        expires=any("Expiration" in rule or "NoncurrentVersionExpiration" in rule for rule in rules),
    )
    found: dict[str, Held] = {}
    for arn, size, older in _versions(clients, bucket, most):
        known = found.get(arn, about)
        found[arn] = msgspec.structs.replace(
            known, versions=known.versions + 1, size=known.size + size, older=known.older + older
        )
    return found


def _versions(clients: Clients, bucket: str, most: int) -> Iterator[tuple[str, int, int]]:
    """The key's ARN, the size, and 1 for an older version; of those under a key of KMS."""
    listed = clients.pages("s3", "list_object_versions", "Versions", Bucket=bucket)
    for number, entry in enumerate(listed):
        if number >= most:
            clients.notes.append(f"of bucket {bucket} {most} versions were looked at (--objects)")
            return
        named = {"Bucket": bucket, "Key": entry["Key"]}
        if entry.get("VersionId") not in (None, "null") or not entry["IsLatest"]:
            named["VersionId"] = entry["VersionId"]
        head = clients.unless_hidden(
            f"an object of bucket {bucket}", partial(clients["s3"].head_object, **named), {}, _NONE
        )
        if head.get("SSEKMSKeyId"):
            yield head["SSEKMSKeyId"], entry["Size"], int(not entry["IsLatest"])
