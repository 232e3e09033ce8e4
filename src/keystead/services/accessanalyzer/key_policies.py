"""What ValidatePolicy tells of a policy that speaks of AWS KMS only, as a key's does: who keeps it, and what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator

from keystead.policy.compiled import CompiledPolicy
from keystead.policy.document import EVERYONE, Document, Statement
from keystead.policy.issue_codes import ISSUE_TYPES
from keystead.policy.issues import Issue
from keystead.policy.principal import account_of
from keystead.policy.spans import Path, Span

_MANAGING = "kms:putkeypolicy"
_PAIR = "kms:encryptioncontext:"
_NAMES = "kms:encryptioncontextkeys"


def of_key_policy(whole: CompiledPolicy, listed: dict[Path, Span]) -> Iterator[Issue]:
    """The issues of a key's policy; none of one that speaks of other services, too."""
    document = whole.document
    allows = [one for one in document.statements if one.effect == "Allow"]
    if not allows or not _is_of_key(document):
        return
    at: Path = ("Statement",)
    if not any(one.effect == "Allow" and one.action(_MANAGING) for one in whole.statements):
        yield _issue(
            "KEYSTEAD_LOCKOUT",
            "Nobody is left who may change the policy: allow kms:PutKeyPolicy.",
            at,
            listed,
        )
    if not any(map(_delegates, allows)):
        said = "No statement names the account, so that identity policies do not count."
        yield _issue("KEYSTEAD_NO_DELEGATION", said, at, listed)
    yield from _unbound(document, listed)


def _is_of_key(document: Document) -> bool:
    """Whether every statement names permissions of AWS KMS, and no others."""
    return all(
        one.actions and all(action.lower().startswith("kms:") for action in one.actions)
        for one in document.statements
    )


def _delegates(statement: Statement) -> bool:
    if statement.principal is None:
        return True  # all but a few are let in, the account among them
    return any(entry == EVERYONE or account_of(entry) is not None for entry in statement.principal.aws)


def _unbound(document: Document, listed: dict[Path, Span]) -> Iterator[Issue]:
    """Pairs of the encryption context that are asked for, where others may be there besides."""
    for index, one in enumerate(document.statements):
        keys = {condition.key.lower() for condition in one.conditions}
        if one.effect != "Allow" or _NAMES in keys:
            continue
        path: Path = ("Statement", index) if ("Statement", index) in listed else ("Statement",)
        for condition in one.conditions:
            place = (*path, "Condition", condition.operator, condition.key)
            if condition.key.lower().startswith(_PAIR) and place in listed:
                said = (
                    "The encryption context may have other pairs, too; kms:EncryptionContextKeys limits them."
                )
                yield _issue("KEYSTEAD_CONTEXT_NOT_BOUND", said, place, listed)


def _issue(code: str, said: str, path: Path, listed: dict[Path, Span]) -> Issue:
    return Issue(code, ISSUE_TYPES[code], said, path, listed[path])
