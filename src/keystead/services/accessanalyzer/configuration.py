"""Configurations of analyzers: of unused access the days after which it counts as that, and who is not looked at."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.services.accessanalyzer.tables import Analyzer, Spared
from keystead.wire.models import accessanalyzer as wire

UNUSED: Final = frozenset({"ACCOUNT_UNUSED_ACCESS", "ORGANIZATION_UNUSED_ACCESS"})
"""The types of analyzers of unused access."""
_DEFAULT_AGE: Final = 90
_LONGEST_AGE: Final = 365


class Terms(msgspec.Struct, frozen=True):
    """What a configuration says; `age` 0 of an analyzer that has none."""

    age: int = 0
    exclusions: tuple[dict[str, str], ...] = ()
    spared: tuple[Spared, ...] = ()


def terms_of(kind: str, given: wire.AnalyzerConfiguration | None, age: int = _DEFAULT_AGE) -> Terms:
    """What a configuration says for an analyzer of this type; `age` counts where it says none.

    Raises:
        errors.Validation: such an analyzer cannot have it.
    """
    if kind not in UNUSED:
        if given is not None:
            raise errors.Validation(
                f"An analyzer of the type {kind} has no configuration.", reason="notSupported"
            )
        return Terms()
    if given is not None and given.internal_access is not None:
        raise errors.Validation("An analyzer of unused access has no internalAccess.")
    asked = (given.unused_access if given is not None else None) or wire.UnusedAccessConfiguration()
    age = age if asked.unused_access_age is None else asked.unused_access_age
    if not 1 <= age <= _LONGEST_AGE:
        raise errors.Validation(f"unusedAccessAge must be from 1 to {_LONGEST_AGE}.")
    criteria = (asked.analysis_rule.exclusions if asked.analysis_rule is not None else None) or ()
    if kind == "ACCOUNT_UNUSED_ACCESS" and any(one.account_ids for one in criteria):
        raise errors.Validation("An analyzer of one account excludes no accounts.")
    return Terms(
        age,
        tuple(tags for one in criteria if not one.account_ids for tags in _tags(one)),
        tuple(
            Spared(accounts=tuple(one.account_ids), tags=_tags(one)) for one in criteria if one.account_ids
        ),
    )


def _tags(one: wire.AnalysisRuleCriteria) -> tuple[dict[str, str], ...]:
    return tuple(dict(tags) for tags in one.resource_tags or () if tags)


def shown(analyzer: Analyzer) -> wire.AnalyzerConfiguration | None:
    """The analyzer's configuration, as answers show it."""
    if not analyzer.age:
        return None
    rule = None
    if analyzer.exclusions or analyzer.spared:
        criteria = [wire.AnalysisRuleCriteria(resource_tags=[dict(tags)]) for tags in analyzer.exclusions]
        criteria += [
            wire.AnalysisRuleCriteria(account_ids=[*one.accounts], resource_tags=[*one.tags] or None)
            for one in analyzer.spared
        ]
        rule = wire.AnalysisRule(exclusions=criteria)
    unused = wire.UnusedAccessConfiguration(unused_access_age=analyzer.age, analysis_rule=rule)
    return wire.AnalyzerConfiguration(unused_access=unused)
