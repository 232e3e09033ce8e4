"""From a request to its analyzer: by name or ARN, and the permission that takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from keystead import errors
from keystead.api import Call, Target
from keystead.api.operation import Targets
from keystead.services.accessanalyzer.configuration import INTERNAL, UNUSED
from keystead.services.accessanalyzer.tables import ANALYZERS, Analyzer, analyzer_arn

T = TypeVar("T")
FactMap = dict[str, str | list[str]]

ANALYZER: Final = "AWS::AccessAnalyzer::Analyzer"
_ARN: Final = re.compile(
    r"arn:aws:access-analyzer:([a-z0-9-]+):([0-9]{12}):analyzer/([A-Za-z0-9_.-]+)", re.ASCII
)
_PAGE: Final = 100
_LONGEST_PAGE: Final = 1000


def on_any(action: str) -> Targets:
    """The target of an operation that is about no resource here."""
    return lambda call, _request: (Target(f"access-analyzer:{action}", "*", call.account),)


def on_named(action: str, facts: Callable[[Any], FactMap] = lambda _request: {}) -> Targets:
    """The analyzer that the request's `analyzer_name` names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        own = analyzer_arn(call.account, call.region, request.analyzer_name or "")
        return (_target(call, action, own, facts(request)),)

    return targets


def on_rule(action: str) -> Targets:
    """The archive rule that the request names, of the analyzer that it names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        own = analyzer_arn(call.account, call.region, request.analyzer_name or "")
        return (_target(call, action, f"{own}/archive-rule/{request.rule_name or ''}", {}),)

    return targets


def on_analyzer(
    action: str, attribute: str = "analyzer_arn", facts: Callable[[Any], FactMap] = lambda _request: {}
) -> Targets:
    """The analyzer whose ARN is the request's `attribute`."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        return (_target(call, action, getattr(request, attribute) or "", facts(request)),)

    return targets


def _target(call: Call, action: str, resource: str, facts: FactMap) -> Target:
    """A permission on an analyzer or what belongs to one; its tags are facts, if it is there."""
    match = _ARN.match(resource)
    account = match[2] if match is not None else call.account
    found = None if match is None else call.tx.get(ANALYZERS, f"{match[2]}/{match[1]}/{match[3]}")
    tags: FactMap = (
        {} if found is None else {f"aws:ResourceTag/{key}": value for key, value in found.tags.items()}
    )
    return Target(f"access-analyzer:{action}", resource, account, facts={**tags, **facts}, kind=ANALYZER)


def tag_facts(tags: dict[str, str] | None) -> FactMap:
    """What conditions can ask of the tags in a request."""
    facts: FactMap = {f"aws:RequestTag/{key}": value for key, value in (tags or {}).items()}
    return {**facts, "aws:TagKeys": [*tags]} if tags else facts


# ------------------------------------------------------------------------ what is there


def named(call: Call, name: str | None) -> Analyzer:
    """The caller's analyzer of this name, in the Region that is called.

    Raises:
        errors.AnalyzerResourceNotFound: there is none.
    """
    found = call.tx.get(ANALYZERS, f"{call.account}/{call.region}/{name}")
    if found is None:
        raise absent("analyzer", analyzer_arn(call.account, call.region, name or ""), ANALYZER)
    return found


def existing(call: Call, arn: str | None) -> Analyzer:
    """The caller's analyzer with this ARN, in the Region that is called.

    Raises:
        errors.AnalyzerResourceNotFound: there is none.
        errors.Validation: it is no ARN of an analyzer.
    """
    match = _ARN.fullmatch(arn or "")
    if match is None:
        raise errors.Validation(f"{arn} is not the ARN of an analyzer.")
    region, account, name = match.groups()
    if (account, region) != (call.account, call.region):
        raise absent("analyzer", arn or "", ANALYZER)
    return named(call, name)


def of_external_access(call: Call, arn: str | None) -> Analyzer:
    """The caller's analyzer with this ARN, of access from outside.

    Raises:
        errors.AnalyzerResourceNotFound: there is none.
        errors.Validation: it is of another type, or it is no ARN of an analyzer.
    """
    found = existing(call, arn)
    if found.type in UNUSED | INTERNAL:
        raise errors.Validation(f"This is not supported for analyzers of the type {found.type}.")
    return found


def absent(what: str, resource: str, kind: str) -> errors.AnalyzerResourceNotFound:
    """The error that says so."""
    return errors.AnalyzerResourceNotFound(f"The {what} {resource} does not exist.", resource, kind)


def page(found: Sequence[T], request: Any) -> tuple[list[T], str | None]:
    """The page that the request asks for, and the token of the next one.

    Raises:
        errors.Validation: the token is none of this operation, or the size is none.
    """
    start, size = (
        _start(request.next_token),
        request.max_results if request.max_results is not None else _PAGE,
    )
    if not 1 <= size <= _LONGEST_PAGE:
        raise errors.Validation(f"maxResults must be from 1 to {_LONGEST_PAGE}.")
    more = str(start + size) if start + size < len(found) else None
    return [*found[start : start + size]], more


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit():
        raise errors.Validation("The nextToken is not one of this operation.")
    return int(token)
