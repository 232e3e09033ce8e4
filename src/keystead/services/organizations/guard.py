"""Which operations change what binds an account from its organization: for the guards of the accounts that they reach.

What an SCP or RCP held back may open when it goes, and what it takes may be from the last one who keeps a key's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from keystead.api import Call, Operation, Target
from keystead.api.guarded_people import people_changes
from keystead.api.guarding import Changed, guarded
from keystead.api.guardrails import Place, place_of
from keystead.api.guards import GUARDS, Guard
from keystead.api.reading import Reading

GUARDED: Final = frozenset({
    "AcceptHandshake", "AttachPolicy", "DetachPolicy", "DisablePolicyType", "EnablePolicyType", "LeaveOrganization",
    "MoveAccount", "RemoveAccountFromOrganization", "UpdatePolicy",
})  # fmt: skip
"""What binds an account by another policy, or lets it go."""


def guard_of(operation: Operation) -> Operation:
    """The operation, with the guards of its organization's accounts behind it if it changes what binds them."""
    return guarded(operation, _changes, _watched) if operation.name in GUARDED else operation


def _watched(call: Call, _targets: tuple[Target, ...]) -> Iterable[str]:
    """The accounts with a guard that are in the caller's organization, or that are the caller's."""
    own = place_of(Reading(call.tx), call.account).org_id
    for account, _ in call.tx.scan(GUARDS, ""):
        if account == call.account or (own and place_of(Reading(call.tx), account).org_id == own):
            yield account


def _changes(
    call: Call, _targets: tuple[Target, ...], _answer: Any, guard: Guard, account: str
) -> Iterator[Changed]:
    before, after = (place_of(Reading(tx), account) for tx in (call.tx.anew(), call.tx))
    return iter(()) if _binds(before) == _binds(after) else people_changes(call, account, guard)


def _binds(place: Place) -> tuple[object, ...]:
    return place.org_id, place.org_path, place.management, place.service_control, place.resource_control
