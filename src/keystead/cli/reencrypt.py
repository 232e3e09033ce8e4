"""`keystead s3 reencrypt`: another KMS key for what a bucket holds already.

A client like any other: it finds the server and its credentials where AWS's own tools find them and has no access
that its caller lacks. What is done is seen in the objects themselves, so a run that was broken off is begun again, and
passes what it has done.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import click

from keystead.cli import aws
from keystead.cli.output import Failed, output_option, show

_KMS: Final = "aws:kms"
_TELL_EVERY: Final = 1000
_PIECE: Final = 1 << 20

_ANOTHER_KIND: Final = "has two layers or a caller's key, which cannot be changed in place"


@click.command()
@click.argument("bucket")
@click.option("--key-id", required=True, help="ARN of the KMS key that is to encrypt the objects.")
@click.option("--prefix", default="", help="Only objects whose keys begin so.")
@click.option("--after", default="", help="Begin after this key, which an earlier run told.")
@click.option("--current-only", is_flag=True, help="Leave older versions as they are.")
@click.option("--dry-run", is_flag=True, help="Change nothing: tell what would be changed.")
@click.option("--read", is_flag=True, help="Read every byte of each object afterwards, by its new key.")
@click.option("--region", help="Region of the server; by default that of the environment.")
@output_option
@click.pass_context
def reencrypt(
    ctx: click.Context,
    /,
    *,
    bucket: str,
    key_id: str,
    prefix: str,
    after: str,
    current_only: bool,
    dry_run: bool,
    read: bool,
    region: str | None,
    output: str,
) -> None:
    """Have a KMS key encrypt what a bucket holds, without moving a byte, and check that it does.

    Run it again after it was broken off: what has the key already is passed. Set the bucket's default encryption
    first, so that what is put meanwhile has the key too. Exit status 1 means that something has not.
    """
    with aws.told():
        run = Run(aws.client("s3", region), bucket, key_id, dry_run=dry_run, read=read)
        for key, version in run.versions(prefix, after, current_only=current_only):
            run.take(key, version)
    if output == "json":
        show({"counts": run.counts, "failed": run.failed})
    else:
        for line in run.failed:
            print(f"FAIL {line['key']} {line['version'] or ''}: {line['reason']}")
        print(", ".join(f"{number} {what}" for what, number in sorted(run.counts.items())) or "nothing there")
    if run.failed:
        ctx.exit(1)


class Run:
    """One pass over a bucket, and what became of each version."""

    def __init__(self, client: Any, bucket: str, key: str, *, dry_run: bool, read: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.failed: list[dict[str, str | None]] = []
        self._client = client
        self._bucket = bucket
        self._key = key
        self._dry_run = dry_run
        self._read = read
        self._refused = import_module("botocore.exceptions").ClientError

    def versions(self, prefix: str, after: str, *, current_only: bool) -> Iterator[tuple[str, str | None]]:
        """Keys and version ids, None of an unversioned object; progress is told on stderr."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix, **({"KeyMarker": after} if after else {})
        )
        seen = 0
        for page in pages:
            for entry in page.get("Versions", ()):
                if current_only and not entry["IsLatest"]:
                    continue
                version = entry.get("VersionId")
                yield entry["Key"], None if version in (None, "null") and entry["IsLatest"] else version
                seen += 1
                if seen % _TELL_EVERY == 0:
                    print(
                        f"{seen} looked at, {self.counts['changed']} changed, up to {entry['Key']}",
                        file=sys.stderr,
                    )

    def take(self, key: str, version: str | None) -> None:
        """None; the version has the key, or why not is noted."""
        named = {"Bucket": self._bucket, "Key": key} | ({"VersionId": version} if version else {})
        try:
            self.counts[self._changed(named)] += 1
            if self._read and not self._dry_run:
                self._read_all(named)
        except self._refused as error:
            code = error.response["Error"].get("Code", "")
            if code in {"404", "NoSuchKey", "NoSuchVersion"}:  # deleted since it was listed
                self.counts["gone"] += 1
                return
            self._fail(key, version, f"{code}: {error.response['Error'].get('Message', '')}".rstrip(": "))
        except Failed as error:
            self._fail(key, version, error.message)

    def _fail(self, key: str, version: str | None, reason: str) -> None:
        self.counts["failed"] += 1
        self.failed.append({"key": key, "version": version, "reason": reason})

    def _changed(self, named: dict[str, str]) -> str:
        """What became of the version.

        Raises:
            Failed: it cannot have the key, or has it not though it was to.
        """
        if self._has_key(named):
            return "already"
        if self._dry_run:
            return "to change"
        self._client.update_object_encryption(**named, ObjectEncryption={"SSEKMS": {"KMSKeyArn": self._key}})
        if not self._has_key(named):
            raise Failed("was replaced, or has another key still")
        return "changed"

    def _has_key(self, named: dict[str, str]) -> bool:
        try:
            head = self._client.head_object(**named)
        except self._refused as error:
            if error.response["Error"].get("Code") == "400":  # an answer to HEAD has no words
                raise Failed(_ANOTHER_KIND) from None
            raise
        if head.get("ServerSideEncryption") not in {_KMS, "AES256"}:
            raise Failed(_ANOTHER_KIND)
        return (head["ServerSideEncryption"], head.get("SSEKMSKeyId")) == (_KMS, self._key)

    def _read_all(self, named: dict[str, str]) -> None:
        answer = self._client.get_object(**named)
        size = sum(len(piece) for piece in answer["Body"].iter_chunks(_PIECE))
        if size != answer["ContentLength"]:
            raise Failed("has not as many bytes as it should")
        self.counts["read"] += 1
