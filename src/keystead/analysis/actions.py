"""Actions of which no policy at hand tells any other apart; real ones of AWS KMS first.

The twin of `policy.actions`. Case never counts in an action's name: all are in lower case here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keystead.analysis import pattern
from keystead.analysis.budget import Budget
from keystead.analysis.pattern import Glob
from keystead.policy import pattern as concrete
from keystead.policy.actions import ACTIONS, find
from keystead.policy.document import Statement

_ANY_ACTION: Final = pattern.glob((concrete.ONE, concrete.ANY, ":", concrete.ONE, concrete.ANY))
_KMS: Final = pattern.glob(("kms:", concrete.ONE, concrete.ANY))
CATALOGUE: Final = tuple(name.lower() for name in ACTIONS)
_LIKELY: Final = ("kms:decrypt", "kms:encrypt", "kms:generatedatakey", "kms:putkeypolicy", "kms:creategrant")


def actions(statements: Iterable[Statement], budget: Budget, *, kms_only: bool) -> list[str]:
    """Actions, in lower case, of which no statement tells any other apart.

    With `kms_only` those of AWS KMS and what may be added to them: a key policy knows no others.

    Raises:
        Undecided: there are too many.
    """
    entries = {entry for one in statements for entry in (*(one.actions or ()), *(one.not_actions or ()))}
    known, globs = set[str](), list[Glob]()
    for entry in sorted(entries):
        service, colon, name = entry.lower().partition(":")
        if not colon or not entry.isascii():
            continue
        tokens = concrete.joined((f"{service}:", *concrete.tokens(name)))
        if all(isinstance(token, str) for token in tokens):
            known.add(f"{service}:{name}")
        else:
            globs.append(pattern.glob(tokens))
    within = _KMS if kms_only else _ANY_ACTION
    spoken = {name for name in known if name.startswith("kms:") or not kms_only}
    found = pattern.texts([[one] for one in globs], spoken, budget, within=[within])
    return [*_LIKELY, *CATALOGUE, *(text for text in found if text[-1] != ":")]


def spelt(action: str) -> str:
    """The action as the catalogue spells it, if it is there."""
    row = find(action)
    return row.name if row is not None else action
