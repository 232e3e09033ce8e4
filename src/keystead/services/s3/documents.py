"""Settings of buckets that are kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from keystead.api import Call
from keystead.services.s3.settings import change
from keystead.services.s3.tables import Bucket

T = TypeVar("T")


def document_of(bucket: Bucket, name: str, kind: type[T]) -> T | None:
    """A setting of the bucket, None if it has none."""
    text = bucket.documents.get(name)
    return None if text is None else msgspec.json.decode(text, type=kind)


def keep_document(call: Call, bucket: Bucket, name: str, document: Any) -> None:
    """Store the setting, or none."""
    keep_documents(call, bucket, {name: document})


def keep_documents(call: Call, bucket: Bucket, given: Mapping[str, Any]) -> None:
    """Store several, or none of them."""
    others = {name: text for name, text in bucket.documents.items() if name not in given}
    new = {
        name: msgspec.json.encode(document).decode()
        for name, document in given.items()
        if document is not None
    }
    change(call, bucket, documents=others | new)
