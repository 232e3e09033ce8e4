"""What events call operations whose names in CloudTrail are not those of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EVENT_NAMES: Final[Mapping[str, str]] = {
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "GetBucketLifecycle",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "ListObjectsV2": "ListObjects",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""Of operations, all of them S3's, the event's name (Amazon S3 User Guide, "Amazon S3 CloudTrail events")."""


def event_name(operation: str) -> str:
    """What the operation's events are called."""
    return EVENT_NAMES.get(operation, operation)
