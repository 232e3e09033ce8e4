"""What is wrong with a custom key: rotation, aliases, grants, policy, disuse, and a deletion that hurts somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from keystead import errors
from keystead.analysis.advisor.facts import AccountFacts, KeyFacts, Use
from keystead.analysis.advisor.uses import CRYPTOGRAPHIC, successful
from keystead.analysis.effective import Key
from keystead.analysis.questions.external import external_access
from keystead.analysis.report import Level, sentence
from keystead.arn import account_in
from keystead.policy.issues import issues
from keystead.policy.keypolicy import compile_key_policy

DAY: Final = 86400.0
RuleName = Literal[
    "rotation", "alias", "stale-grant", "unused", "risky-policy", "deletion-with-users", "disabled-with-users",
]  # fmt: skip


class Advice(msgspec.Struct, frozen=True):
    """One thing to change about a key: what, why, and how."""

    rule: RuleName
    level: Level
    message: str
    change: str


def hygiene(key: KeyFacts, account: AccountFacts, days: int) -> tuple[Advice, ...]:
    """What there is to change; what nobody used for so many days counts as unused."""
    found = (one for rule in RULES for one in rule(key, account, days * DAY))
    return tuple(sorted(found, key=lambda one: _ORDER[one.level]))


_ORDER: Final[dict[Level, int]] = {"error": 0, "warning": 1, "note": 2}


def _rotation(key: KeyFacts, _account: AccountFacts, _idle: float) -> Iterator[Advice]:
    if key.state not in ("Enabled", "Disabled") or key.rotation is None or key.rotation.enabled:
        return
    if key.rotatable:
        yield Advice(
            "rotation", "warning", "its material is never replaced: rotation is off",
            f"aws kms enable-key-rotation --key-id {key.id} --rotation-period-in-days 365",
        )  # fmt: skip
    elif key.spec == "SYMMETRIC_DEFAULT" and key.origin == "EXTERNAL":
        yield Advice(
            "rotation", "note", "its material was imported, so it is replaced on demand only",
            f"import new material, then: aws kms rotate-key-on-demand --key-id {key.id}",
        )  # fmt: skip


def _alias(key: KeyFacts, _account: AccountFacts, _idle: float) -> Iterator[Advice]:
    if not key.aliases and key.state == "Enabled":
        yield Advice(
            "alias", "note", "it has no alias: who uses it names its id, and cannot be moved to another key without a change",
            f"aws kms create-alias --alias-name alias/NAME --target-key-id {key.id}",
        )  # fmt: skip
    if key.aliases and key.state != "Enabled":
        for name in key.aliases:
            yield Advice(
                "alias", "warning", f"{name} stands for a key that is {key.state}: whoever encrypts by it is refused",
                f"aws kms update-alias --alias-name {name} --target-key-id ANOTHER, or delete-alias",
            )  # fmt: skip


def _grants(key: KeyFacts, account: AccountFacts, idle: float) -> Iterator[Advice]:
    active = {use.principal for use in successful(key.uses)}
    for grant in key.grants:
        revoke = f"aws kms revoke-grant --key-id {key.id} --grant-id {grant.grant_id}"
        if _gone(grant.grantee, account):
            said = f"grant {grant.grant_id} is for {grant.grantee}, who is not there any more"
            yield Advice("stale-grant", "warning", said, revoke)
            continue
        issued = key.grants_issued.get(grant.grant_id, account.now)
        used = any(_is(grant.grantee, principal, key.account) for principal in active)
        if key.complete and account.now - issued > idle and not used and not _is_service(grant.grantee):
            said = (
                f"grant {grant.grant_id} is for {grant.grantee}, who never used the key since {_day(issued)}"
            )
            yield Advice("stale-grant", "note", said, revoke)


def _gone(grantee: str, account: AccountFacts) -> bool:
    """Whether a grantee of this account is not there; of others it is not known."""
    if account.people is None or f":iam::{account.account}:" not in grantee:
        return False
    named = grantee.split(":", 5)[-1]
    return named.startswith(("user/", "role/")) and grantee not in account.people


def _is(grantee: str, principal: str, own: str) -> bool:
    """Whether the principal may be the grantee: of another account's callers, only their account may be known."""
    if grantee == principal or _is_service(grantee) or _is_service(principal):
        return grantee == principal
    account = account_in(grantee)
    unnamed = account != own and principal.endswith(":root")
    return account == account_in(principal) and (grantee.endswith(":root") or unnamed)


def _is_service(grantee: str) -> bool:
    return not grantee.startswith("arn:")


def _unused(key: KeyFacts, account: AccountFacts, idle: float) -> Iterator[Advice]:
    if key.state not in ("Enabled", "Disabled"):
        return
    since = key.created if key.last_used is None else key.last_used
    if account.now - since <= idle:
        return
    told = f"nobody used it since {_day(since)}" if key.last_used is not None else (
        f"nobody ever used it; it was made on {_day(since)}"
    )  # fmt: skip
    change = f"aws kms disable-key --key-id {key.id}; later, when nothing broke, schedule-key-deletion"
    if key.state == "Disabled":
        change = f"aws kms schedule-key-deletion --key-id {key.id}, once nothing lies under it any more"
    yield Advice("unused", "note", told, change)


def _pending(key: KeyFacts, account: AccountFacts, idle: float) -> Iterator[Advice]:
    """A key that is disabled or about to be deleted though somebody uses it, or tried to."""
    if key.state not in ("PendingDeletion", "Disabled"):
        return
    tried = [use for use in key.uses if use.operation in CRYPTOGRAPHIC and use.error in _REFUSED_BY_STATE]
    recent = [use for use in successful(key.uses) if account.now - use.at <= idle]
    if not tried and not recent and not key.held:
        return
    deletion = key.state == "PendingDeletion"
    told = "; ".join(_users(tried, recent, key))
    when = f" on {_day(key.deletion)}" if deletion and key.deletion is not None else ""
    yield Advice(
        "deletion-with-users" if deletion else "disabled-with-users",
        "error" if deletion else "warning",
        f"it {'will be deleted' + when if deletion else 'is disabled'}, and {told}",
        f"aws kms cancel-key-deletion --key-id {key.id}"
        if deletion
        else f"aws kms enable-key --key-id {key.id}",
    )


_REFUSED_BY_STATE: Final = frozenset(
    {"KMSInvalidStateException", "DisabledException", "KMSInvalidStateError"}
)


def _users(tried: list[Use], recent: list[Use], key: KeyFacts) -> Iterator[str]:
    if tried:
        who = ", ".join(sorted({use.principal for use in tried}))
        yield f"{len(tried)} calls were refused for that, by {who}"
    if recent:
        who = ", ".join(sorted({use.principal for use in recent}))
        yield f"{who} used it until {_day(max(use.at for use in recent))}"
    if key.held:
        versions = sum(held.versions for held in key.held)
        yield f"{versions} versions of objects in {', '.join(held.bucket for held in key.held)} lie under it"


def _risky(key: KeyFacts, account: AccountFacts, _idle: float) -> Iterator[Advice]:
    for issue in issues(key.policy, "RESOURCE_POLICY", "AWS::KMS::Key"):
        if issue.type == "SECURITY_WARNING" or issue.code.startswith("KEYSTEAD_"):
            place = "".join(
                f"[{step}]" if isinstance(step, int) else f".{step}" for step in issue.path
            ).lstrip(".")
            yield Advice(
                "risky-policy", "warning" if issue.type == "SECURITY_WARNING" else "note", f"{place}: {issue.details} [{issue.code}]",
                "change the key policy; `keystead analyze diff` tells what a change opens",
            )  # fmt: skip
    held = Key(arn=key.arn, account=account.account, policy=compile_key_policy(key.policy), grants=key.grants)
    try:
        outside = external_access(held, frozenset({account.account}))
    except errors.Undecided as error:
        yield Advice(
            "risky-policy",
            "warning",
            f"who gets in from outside is not decided: {error}",
            "simplify the policy",
        )
        return
    for one in outside:
        who = "the public" if one.public else one.principal
        yield Advice(
            "risky-policy", "error" if one.public else "note",
            f"{who} is let in from outside the account; for example, {sentence(one.witness)}",
            "see that it is meant; else narrow the statement or revoke the grant",
        )  # fmt: skip


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


RULES: Final[tuple[Callable[[KeyFacts, AccountFacts, float], Iterator[Advice]], ...]] = (
    _pending, _rotation, _alias, _grants, _unused, _risky,
)  # fmt: skip
