"""CreateArchiveRule, GetArchiveRule, ListArchiveRules, UpdateArchiveRule, DeleteArchiveRule.

A rule archives findings that are new, or that come back; those that are there only by ApplyArchiveRule (IAM User
Guide, "Archive rules").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.accessanalyzer.access import absent, named, on_named, on_rule, page
from keystead.services.accessanalyzer.filters import IN_RULES, checked, shown
from keystead.services.accessanalyzer.tables import ANALYZERS, Analyzer, ArchiveRule, Criterion
from keystead.wire.models import accessanalyzer as wire

RULE: Final = "AWS::AccessAnalyzer::ArchiveRule"
_MOST: Final = 100


def checked_filter(given: Mapping[str, wire.Criterion]) -> dict[str, Criterion]:
    """The filter of a rule.

    Raises:
        errors.Validation: it asks for nothing, or for what a rule cannot ask.
    """
    if not given:
        raise errors.Validation("The filter of an archive rule must have a criterion.")
    return checked(given, IN_RULES)


@operation("CreateArchiveRule", targets=on_rule("CreateArchiveRule"), changes=True)
def create_archive_rule(call: Call, request: wire.CreateArchiveRuleRequest, _rule: Target) -> None:
    """Add a rule, which counts for what is found from now on."""
    analyzer, name = named(call, request.analyzer_name), request.rule_name or ""
    if any(one.name == name for one in analyzer.rules):
        raise errors.AnalyzerConflict(f"An archive rule of the name {name} exists already.", name, RULE)
    if len(analyzer.rules) >= _MOST:
        raise errors.AnalyzerQuotaExceeded(f"An analyzer has at most {_MOST} archive rules.", name, RULE)
    rule = ArchiveRule(
        name=name, filter=checked_filter(request.filter or {}), created=call.now, updated=call.now
    )
    _put(call, analyzer, (*analyzer.rules, rule))


@operation("GetArchiveRule", targets=on_rule("GetArchiveRule"))
def get_archive_rule(
    call: Call, request: wire.GetArchiveRuleRequest, _rule: Target
) -> wire.GetArchiveRuleResponse:
    """Return one rule."""
    rule = rule_of(named(call, request.analyzer_name), request.rule_name)
    return wire.GetArchiveRuleResponse(archive_rule=_shown(rule))


@operation("ListArchiveRules", targets=on_named("ListArchiveRules"))
def list_archive_rules(
    call: Call, request: wire.ListArchiveRulesRequest, _analyzer: Target
) -> wire.ListArchiveRulesResponse:
    """Return the analyzer's rules."""
    rules, more = page(named(call, request.analyzer_name).rules, request)
    return wire.ListArchiveRulesResponse(archive_rules=[_shown(one) for one in rules], next_token=more)


@operation("UpdateArchiveRule", targets=on_rule("UpdateArchiveRule"), changes=True)
def update_archive_rule(call: Call, request: wire.UpdateArchiveRuleRequest, _rule: Target) -> None:
    """Replace a rule's filter."""
    analyzer = named(call, request.analyzer_name)
    rule = rule_of(analyzer, request.rule_name)
    changed = msgspec.structs.replace(rule, filter=checked_filter(request.filter or {}), updated=call.now)
    _put(call, analyzer, tuple(changed if one is rule else one for one in analyzer.rules))


@operation("DeleteArchiveRule", targets=on_rule("DeleteArchiveRule"), changes=True)
def delete_archive_rule(call: Call, request: wire.DeleteArchiveRuleRequest, _rule: Target) -> None:
    """Remove a rule; what it archived stays so."""
    analyzer = named(call, request.analyzer_name)
    rule = rule_of(analyzer, request.rule_name)
    _put(call, analyzer, tuple(one for one in analyzer.rules if one is not rule))


def rule_of(analyzer: Analyzer, name: str | None) -> ArchiveRule:
    """The analyzer's rule of this name.

    Raises:
        errors.AnalyzerResourceNotFound: it has none.
    """
    found = next((one for one in analyzer.rules if one.name == name), None)
    if found is None:
        raise absent("archive rule", name or "", RULE)
    return found


def _put(call: Call, analyzer: Analyzer, rules: tuple[ArchiveRule, ...]) -> None:
    call.tx.put(ANALYZERS, analyzer.place, msgspec.structs.replace(analyzer, rules=rules))


def _shown(rule: ArchiveRule) -> wire.ArchiveRuleSummary:
    return wire.ArchiveRuleSummary(
        rule_name=rule.name, filter=shown(rule.filter), created_at=rule.created, updated_at=rule.updated
    )


OPERATIONS = (
    create_archive_rule,
    get_archive_rule,
    list_archive_rules,
    update_archive_rule,
    delete_archive_rule,
)
