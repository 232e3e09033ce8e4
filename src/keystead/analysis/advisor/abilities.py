"""What can be done with a key by its policy: proven, so that what a default key cannot do is not just said."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from keystead import errors
from keystead.analysis.advisor.facts import KeyFacts
from keystead.analysis.effective import Key
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.report import sentence
from keystead.analysis.space import Universe
from keystead.policy.keypolicy import compile_key_policy

AbilityName = Literal["own-policy", "sharing", "disabling", "shredding", "grants"]

_ACTIONS: Final[dict[AbilityName, tuple[str, str]]] = {
    "own-policy": ("kms:PutKeyPolicy", "change who may use the key"),
    "disabling": ("kms:DisableKey", "stop the key in an emergency"),
    "shredding": ("kms:ScheduleKeyDeletion", "delete the key and so all that lies under it"),
    "grants": ("kms:CreateGrant", "lend the key by a grant without going through a service"),
}
_SHARING: Final = "let another account use the key"
_DIRECT: Final = {"kms:viaservice": None}
"""The request comes through no service."""


class Ability(msgspec.Struct, frozen=True):
    """Whether somebody can do something with a key; `shown` is a request that shows it, or why there is none."""

    name: AbilityName
    about: str
    possible: bool
    shown: str


def abilities(key: KeyFacts) -> tuple[Ability, ...]:
    """Each ability, proven or refuted for the key's policy and grants.

    Raises:
        errors.Undecided: one is neither proven nor refuted.
    """
    policy = compile_key_policy(key.policy)
    universe = Universe(kms_only=True, resource=key.arn, known=_DIRECT, strict=True)
    found = []
    for name, (action, about) in _ACTIONS.items():
        granted = access_granted(policy, [Access((action,))], universe)
        shown = sentence(granted[0].witness) if granted else f"no request for {action} is let in: proven"
        found.append(Ability(name, about, bool(granted), shown))
    held = Key(arn=key.arn, account=key.account, policy=policy, grants=key.grants)
    outside = external_access(held, frozenset({key.account}))
    shown = sentence(outside[0].witness) if outside else "no caller of another account is let in: proven"
    return (*found, Ability("sharing", _SHARING, bool(outside), shown))


def told_abilities(key: KeyFacts) -> tuple[Ability, ...]:
    """The abilities, or none where they are not decided."""
    try:
        return abilities(key)
    except errors.Undecided:
        return ()
