"""What users and roles made use of, by the evidence: which permission which event tells of, and when it was last."""

from __future__ import annotations

from typing import Final

from keystead.api.permissions import OVERRIDE_BRAKE, OVERRIDE_GUARD, PERMISSIONS
from keystead.audit.index import Index
from keystead.audit.query import Filter, find
from keystead.audit.redact import event_source

BY_ACTION: Final = frozenset({"kms", "access-analyzer"})
"""Services whose permissions are told one by one: each is that of operations which events name."""
SERVICES: Final = tuple(sorted({name.partition(":")[0] for name in PERMISSIONS}))
_EVENTS: Final = {
    "kms:ReEncryptFrom": ("ReEncrypt",),
    "kms:ReEncryptTo": ("ReEncrypt",),
    "kms:TagResource": ("TagResource", "CreateKey", "ReplicateKey"),
    "access-analyzer:GetFinding": ("GetFinding", "GetFindingV2"),
    "access-analyzer:ListFindings": ("ListFindings", "ListFindingsV2"),
}
"""Permissions that other operations take, too."""


_UNTOLD: Final = frozenset({OVERRIDE_BRAKE, OVERRIDE_GUARD, "iam:PassRole"})
"""Permissions of whose use no event tells."""


def permissions_of(service: str) -> list[str]:
    """The permissions that there are of a service, by full names."""
    return sorted(name for name in PERMISSIONS - _UNTOLD if name.startswith(f"{service}:"))


class Evidence:
    """When somebody last did something, by the index of the events."""

    def __init__(self, index: Index, kept_days: int) -> None:
        """`kept_days` is how long events are kept, 0 for ever."""
        self._index = index
        self._kept_days = kept_days

    def covers(self, days: int) -> bool:
        """Whether all events of so many days are there."""
        return not self._kept_days or self._kept_days >= days

    def catch_up(self) -> None:
        """None; all that was recorded is known.

        Raises:
            errors.IndexUnavailable: the index cannot be used.
        """
        self._index.catch_up()

    def principal(self, arn: str) -> float:
        """When the user or role with this ARN last called anything; 0 for never."""
        return self._last(Filter(principal=arn))

    def access_key(self, access_key: str) -> float:
        """When a call was last signed with the access key; 0 for never."""
        return self._last(Filter(access_key_id=access_key))

    def service(self, principal: str, service: str) -> float:
        """When the user or role with this ARN last called the service with success; 0 for never."""
        return self._last(Filter(principal=principal, source=event_source(service), outcome="ok"))

    def action(self, principal: str, action: str) -> float:
        """When it last made use of the permission; 0 for never."""
        service, _, name = action.partition(":")
        return max(
            self._last(
                Filter(principal=principal, source=event_source(service), operation=event, outcome="ok")
            )
            for event in _EVENTS.get(action, (name,))
        )

    def _last(self, asked: Filter) -> float:
        newest = next(find(self._index, asked, page=1), None)
        return 0.0 if newest is None else float(newest.place.time)
