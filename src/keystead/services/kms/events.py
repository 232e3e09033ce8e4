"""Service events: what the service itself did to a key, for the audit record.

Source: AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" (RotateKey, DeleteKey, …).
"""

from __future__ import annotations

from keystead.api.schedule import DueEvent
from keystead.audit.event import KEY_TYPE
from keystead.keys import Key


def service_event(name: str, key: Key, **details: object) -> DueEvent:
    """The event called `name` about `key`; `details` are lower-camel members."""
    return {
        "eventName": name,
        "account": key.account,
        "region": key.region,
        "service": "kms",
        "arn": key.arn,
        "type": KEY_TYPE,
        "serviceEventDetails": {
            "keyId": key.id,
            **{name: value for name, value in details.items() if value is not None},
        },
    }


def synchronized_events(replicas: list[Key]) -> list[DueEvent]:
    """One SynchronizeMultiRegionKey for each replica that got its primary's material."""
    return [service_event("SynchronizeMultiRegionKey", replica) for replica in replicas]
