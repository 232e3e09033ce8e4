"""What an account's operator wants its key policies and grants guarded against, as stored.

A rule is for all keys of the account, or for those with a tag; a key that has tags of rules is under these alone, and of
several the strictest mode counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from keystead.analysis.questions.change import KINDS, Kind
from keystead.storage import Table

Mode = Literal["off", "audit", "confirm", "refuse"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
"""From the mildest to the strictest."""

Modes = Mapping[Kind, Mode]


class GuardRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done about each kind of violation, for keys with the tag `tag` = `value`; without a tag for all."""

    tag: str = ""
    value: str = ""
    modes: dict[Kind, Mode] = {}


class Guard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules of one account.

    Its zone of trust is itself, `trusted` (accounts, and ARNs of providers of identities), and its organization if that
    is trusted.
    """

    rules: tuple[GuardRule, ...] = ()
    trusted: tuple[str, ...] = ()
    trust_organization: bool = False

    @property
    def armed(self) -> bool:
        """Whether anything is looked at."""
        return any(mode != "off" for rule in self.rules for mode in rule.modes.values())

    def modes(self, tags: Mapping[str, str]) -> dict[Kind, Mode]:
        """What is done about each kind of violation for a key with these tags."""
        tagged = [rule for rule in self.rules if rule.tag and tags.get(rule.tag) == rule.value]
        return strictest(tagged or [rule for rule in self.rules if not rule.tag])

    def with_rule(self, rule: GuardRule) -> Guard:
        """The guard with this rule in the place of the one for the same keys; one that is off for everything goes."""
        others = tuple(one for one in self.rules if (one.tag, one.value) != (rule.tag, rule.value))
        off = not rule.tag and all(mode == "off" for mode in rule.modes.values())
        return msgspec.structs.replace(self, rules=others if off else (*others, rule))


def strictest(rules: Iterable[GuardRule]) -> dict[Kind, Mode]:
    """The strictest mode of these rules for each kind."""
    given = tuple(rules)
    return {
        kind: max((rule.modes.get(kind, "off") for rule in given), key=MODES.index, default="off")
        for kind in KINDS
    }


GUARDS: Table[Guard] = Table("guard", Guard)
"""account id"""


class Turn(msgspec.Struct, frozen=True):
    """The last call that changed what an account's guard looks at: two at once would not see each other."""

    event_id: str


GUARD_TURNS: Table[Turn] = Table("guard_turn", Turn, evident=False)  # says only who was last
"""account id"""
