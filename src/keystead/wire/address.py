"""Which bucket and key a request is about: by its path, or the bucket by its host.

Keys are taken as they are: `..`, empty parts and encoded slashes mean nothing here, and no key becomes a path.
Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from keystead.wire.http import Request
from keystead.wire.uri import path_label

_AMAZON: Final = re.compile(r"(.+)\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com", re.ASCII)


class Address(msgspec.Struct, frozen=True):
    """A bucket and a key, empty where the request names none."""

    bucket: str = ""
    key: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What the models call them."""
        found = {"Bucket": self.bucket, "Key": self.key}
        return {name: text for name, text in found.items() if text}


def address_of(request: Request, domains: Sequence[str] = ()) -> Address:
    """The address; hosts under `domains` name a bucket before them.

    Raises:
        UnreadableAddress: the path is not UTF-8.
    """
    bucket = bucket_of_host(request.headers.get("host", ""), domains)
    path = request.path.removeprefix("/")
    if not bucket:
        first, _, path = path.partition("/")
        bucket = path_label(first)
    return Address(bucket, path_label(path))


def url_of(host: str, bucket: str, key: str, *, secure: bool) -> str:
    """The URL of a bucket, or of an object in it, under the host that was asked: with the bucket before it, or behind.

    Slashes in keys are encoded as well, as S3 does where it answers so (`Location`).
    """
    under = "" if host.lower().startswith(f"{bucket}.") else f"{bucket}/"
    return f"{'https' if secure else 'http'}://{host}/{under}{quote(key, safe='')}"


def bucket_of_host(host: str, domains: Sequence[str]) -> str:
    """The bucket that a Host header names; empty if it names none."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower()
    for domain in domains:
        if name.endswith(f".{domain}"):
            return name.removesuffix(f".{domain}")
    found = _AMAZON.fullmatch(name)
    return found[1] if found else ""
