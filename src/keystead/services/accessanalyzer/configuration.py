"""Configurations of analyzers: when access counts as unused and who is spared, or where internal access is looked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from keystead import errors
from keystead.api.analyzed import BUCKET, KEY, ROLE, Analyzed
from keystead.services.accessanalyzer.tables import Analyzer, Inclusion, Spared
from keystead.wire.models import accessanalyzer as wire

UNUSED: Final = frozenset({"ACCOUNT_UNUSED_ACCESS", "ORGANIZATION_UNUSED_ACCESS"})
"""The types of analyzers of unused access."""
INTERNAL: Final = frozenset({"ACCOUNT_INTERNAL_ACCESS", "ORGANIZATION_INTERNAL_ACCESS"})
"""The types of analyzers of internal access."""
_DEFAULT_AGE: Final = 90
_LONGEST_AGE: Final = 365
_NOT_INSIDE: Final = frozenset({BUCKET, ROLE, "AWS::IAM::User"})
"""Types of resources that are here, and at which analyzers of internal access do not look."""
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_MOST: Final = 2000


class Terms(msgspec.Struct, frozen=True):
    """What a configuration says; `age` 0 of an analyzer that has none."""

    age: int = 0
    exclusions: tuple[dict[str, str], ...] = ()
    spared: tuple[Spared, ...] = ()
    inclusions: tuple[Inclusion, ...] = ()


def terms_of(kind: str, given: wire.AnalyzerConfiguration | None, age: int = _DEFAULT_AGE) -> Terms:
    """What a configuration says for an analyzer of this type; `age` counts where it says none.

    Raises:
        errors.Validation: such an analyzer cannot have it.
    """
    if kind in UNUSED:
        return _of_unused(kind, given, age)
    if kind in INTERNAL:
        return _of_internal(kind, given)
    if given is not None:
        raise errors.Validation(
            f"An analyzer of the type {kind} has no configuration.", reason="notSupported"
        )
    return Terms()


# ------------------------------------------------------------------------- unused access


def _of_unused(kind: str, given: wire.AnalyzerConfiguration | None, age: int) -> Terms:
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


# ----------------------------------------------------------------------- internal access


def _of_internal(kind: str, given: wire.AnalyzerConfiguration | None) -> Terms:
    if given is not None and given.unused_access is not None:
        raise errors.Validation("An analyzer of internal access has no unusedAccess.")
    asked = (given.internal_access if given is not None else None) or wire.InternalAccessConfiguration()
    criteria = (asked.analysis_rule.inclusions if asked.analysis_rule is not None else None) or ()
    if kind == "ACCOUNT_INTERNAL_ACCESS" and any(one.account_ids for one in criteria):
        raise errors.Validation("Only an analyzer of an organization includes resources by accountIds.")
    return Terms(inclusions=tuple(map(_inclusion, criteria)))


def _inclusion(one: wire.InternalAccessAnalysisRuleCriteria) -> Inclusion:
    found = Inclusion(
        accounts=tuple(one.account_ids or ()),
        types=tuple(one.resource_types or ()),
        arns=tuple(one.resource_arns or ()),
    )
    for holds, complaint in _COMPLAINTS:
        if not holds(found):
            raise errors.Validation(complaint)
    return found


_COMPLAINTS: Final[tuple[tuple[Callable[[Inclusion], bool], str], ...]] = (
    (
        lambda one: bool(one.accounts or one.types or one.arns),
        "An inclusion has accountIds, resourceTypes or resourceArns.",
    ),
    (lambda one: all(map(_ACCOUNT.fullmatch, one.accounts)), "Each of accountIds has 12 digits."),
    (
        lambda one: all(arn.startswith("arn:") and "\0" not in arn for arn in one.arns),
        "Each of resourceArns is an ARN.",
    ),
    (
        lambda one: not _NOT_INSIDE & {*one.types},
        f"Analyzers of internal access look at resources of the type {KEY} only.",
    ),
    (
        lambda one: len(one.accounts) <= _MOST and len(one.arns) <= _MOST,
        f"An inclusion has at most {_MOST} accountIds and {_MOST} resourceArns.",
    ),
)
"""What must hold of an inclusion, and what is said otherwise."""


def covers(analyzer: Analyzer, resource: Analyzed) -> bool:
    """Whether the analyzer looks at a resource of its accounts."""
    if analyzer.type not in INTERNAL:
        return True
    asked = analyzer.inclusions
    return resource.type == KEY and (not asked or any(_includes(one, resource) for one in asked))


def _includes(one: Inclusion, resource: Analyzed) -> bool:
    pairs = ((one.accounts, resource.account), (one.types, resource.type), (one.arns, resource.arn))
    return all(not wanted or value in wanted for wanted, value in pairs)


# ---------------------------------------------------------------------------- as it came


def shown(analyzer: Analyzer) -> wire.AnalyzerConfiguration | None:
    """The analyzer's configuration, as answers show it."""
    if analyzer.type in INTERNAL:
        return _shown_internal(analyzer)
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


def _shown_internal(analyzer: Analyzer) -> wire.AnalyzerConfiguration | None:
    if not analyzer.inclusions:
        return None
    criteria = [
        wire.InternalAccessAnalysisRuleCriteria(
            account_ids=[*one.accounts] or None,
            resource_types=[*one.types] or None,
            resource_arns=[*one.arns] or None,
        )
        for one in analyzer.inclusions
    ]
    rule = wire.InternalAccessAnalysisRule(inclusions=criteria)
    return wire.AnalyzerConfiguration(internal_access=wire.InternalAccessConfiguration(analysis_rule=rule))
