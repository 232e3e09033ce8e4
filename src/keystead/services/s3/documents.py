"""Settings of buckets that are kept as they come."""

from __future__ import annotations

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
    documents = {key: text for key, text in bucket.documents.items() if key != name}
    if document is not None:
        documents[name] = msgspec.json.encode(document).decode()
    change(call, bucket, documents=documents)
