"""ValidatePolicy: what is wrong with a policy by itself, and what the analysis proves of its statements.

Issue codes of AWS come from `policy.issues`; those that begin with KEYSTEAD_ are proven here. Source: IAM Access
Analyzer API reference, ValidatePolicy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from keystead import errors
from keystead.analysis import Universe, new_access
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.policy.compiled import compile_policy
from keystead.policy.document import Document, parse
from keystead.policy.issues import Issue, Kind, issues
from keystead.policy.spans import Path, Span, spans
from keystead.services.accessanalyzer.access import on_any
from keystead.services.accessanalyzer.key_policies import of_key_policy
from keystead.wire.models import accessanalyzer as wire

_MOST: Final = 1000
_PAGE: Final = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"


@operation("ValidatePolicy", targets=on_any("ValidatePolicy"), slow=always)
def validate_policy(
    _call: Call, request: wire.ValidatePolicyRequest, _any: Target
) -> wire.ValidatePolicyResponse:
    """What is wrong with a policy, and where."""
    text, kind = request.policy_document or "", _kind(request.policy_type)
    found = [*issues(text, kind, request.validate_policy_resource_type)]
    if kind == "RESOURCE_POLICY" and not any(one.type == "ERROR" for one in found):
        found += _proven(text)
    start, size = _start(request.next_token), request.max_results or _MOST
    shown = found[start : start + size]
    more = str(start + size) if start + size < len(found) else None
    return wire.ValidatePolicyResponse(findings=[_finding(one) for one in shown], next_token=more)


OPERATIONS = (validate_policy,)


def _kind(policy_type: str | None) -> Kind:
    kind: Kind = msgspec.convert(policy_type, Kind)  # the model's own values, which are checked before
    return kind


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit():
        raise errors.Validation("The nextToken is not one of this operation.")
    return int(token)


# ------------------------------------------------------------------------ what is proven


def _proven(text: str) -> Iterator[Issue]:
    """Statements without which the policy would let in the same; nothing where that is not decided."""
    document = parse(text)
    listed, whole = spans(text), compile_policy(document)
    yield from of_key_policy(whole, listed)
    for index, statement in enumerate(document.statements):
        path: Path = ("Statement", index) if ("Statement", index) in listed else ("Statement",)
        rest = compile_policy(_without(document, index))
        try:
            if statement.effect == "Allow":
                same = not new_access(rest, whole, Universe())
            else:
                same = not new_access(whole, rest, Universe())
        except errors.Undecided:
            continue
        if same:
            yield _told(statement.effect == "Allow", path, listed[path])


def _without(document: Document, index: int) -> Document:
    rest = (*document.statements[:index], *document.statements[index + 1 :])
    return msgspec.structs.replace(document, statements=rest)


def _told(allows: bool, path: Path, span: Span) -> Issue:
    if allows:
        said = "Without this statement the policy lets in the same: others cover it, or nothing can meet it."
        return Issue("REDUNDANT_STATEMENT", "SUGGESTION", said, path, span)
    said = "This Deny blocks nobody: what it denies no statement allows, or another denies it."
    return Issue("KEYSTEAD_DENY_WITHOUT_EFFECT", "SUGGESTION", said, path, span)


# ------------------------------------------------------------------------------- shown


def _finding(issue: Issue) -> wire.ValidatePolicyFinding:
    anchor = f"{issue.type}-{issue.code}".lower().replace("_", "-")
    return wire.ValidatePolicyFinding(
        finding_details=issue.details,
        finding_type=issue.type,
        issue_code=issue.code,
        learn_more_link=f"{_PAGE}#access-analyzer-reference-policy-checks-{anchor}",
        locations=[wire.Location(path=_path(issue), span=_span(issue.span))],
    )


def _path(issue: Issue) -> list[wire.PathElement]:
    """The way to the value; the last step of one about a name is that name."""
    steps = [*map(_element, issue.path)]
    return [*steps[:-1], wire.PathElement(key=str(issue.path[-1]))] if issue.of_name else steps


def _element(step: str | int) -> wire.PathElement:
    return wire.PathElement(index=step) if isinstance(step, int) else wire.PathElement(value=step)


def _span(span: Span) -> wire.Span:
    start, end = (
        wire.Position(line=at.line, column=at.column, offset=at.offset) for at in (span.start, span.end)
    )
    return wire.Span(start=start, end=end)
