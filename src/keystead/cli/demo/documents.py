"""The documents of the story: objects in a bucket of the server's own S3 gateway."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from keystead.cli.demo.stage import Credentials, Stage

BUCKET = "documents"


class Documents:
    """A bucket of the stage's server; `policy` says who may come from outside the account."""

    def __init__(self, stage: Stage, policy: str) -> None:
        self._stage = stage
        stage.quietly(stage.root, "s3", "create_bucket", Bucket=BUCKET)
        stage.quietly(stage.root, "s3", "put_bucket_policy", Bucket=BUCKET, Policy=policy)

    def put(self, who: Credentials, name: str, text: bytes, key: str | None, **context: str) -> Any:
        """What S3 answers to `who`, who puts a document; without `key` S3 takes the default key of KMS."""
        members, shown = _encryption(key, context)
        return self._stage.run(
            who, "s3", "put_object", {"Body": f"{name}.txt"} | shown,
            Bucket=BUCKET, Key=name, Body=text, **members,
        )  # fmt: skip

    def put_refused(self, who: Credentials, name: str, key: str, **context: str) -> str:
        """The code with which `who` is refused to put a document."""
        members, shown = _encryption(key, context)
        return self._stage.refused(
            who, "s3", "put_object", {"Body": f"{name}.txt"} | shown,
            Bucket=BUCKET, Key=name, Body=b"psst", **members,
        )  # fmt: skip

    def get(self, who: Credentials, name: str) -> bytes:
        """The document, decrypted for `who`."""
        answer = self._stage.run(who, "s3", "get_object", _into(name), Bucket=BUCKET, Key=name)
        body: bytes = answer["Body"].read()
        return body

    def get_refused(self, who: Credentials, name: str) -> str:
        """The code with which `who` is refused to read the document."""
        return self._stage.refused(who, "s3", "get_object", _into(name), Bucket=BUCKET, Key=name)

    def on_disk(self) -> Iterator[bytes]:
        """Each file's content of what the server keeps of them, and of all else."""
        for folder, _, names in os.walk(self._stage.data_dir):
            for name in names:
                with suppress(FileNotFoundError):  # the server goes on, and names its files anew
                    yield Path(folder, name).read_bytes()


def _into(name: str) -> dict[str, str]:
    """The file that the aws command writes to, which has no option's name."""
    return {"": f"{name}.txt"}


def _encryption(key: str | None, context: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The members that ask for a key, and how some of them are shown."""
    members = {"ServerSideEncryption": "aws:kms"}
    if key is not None:
        members["SSEKMSKeyId"] = key
    if not context:
        return members, {}
    text = json.dumps(context)
    members["SSEKMSEncryptionContext"] = base64.b64encode(text.encode()).decode()
    return members, {"SSEKMSEncryptionContext": f"$(base64 <<< '{text}')"}
