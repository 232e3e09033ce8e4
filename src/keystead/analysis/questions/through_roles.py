"""Whom a change lets in from outside by a role of the account: who can take it on, and what it may then do with the key."""

from __future__ import annotations

from collections.abc import Iterator

from keystead.analysis.budget import Budget
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.change import Change, Touched, Violation, alike, name_of, possible
from keystead.analysis.questions.duties import MANAGE, USE
from keystead.analysis.questions.holding import Holding
from keystead.analysis.questions.outside import names_outsiders
from keystead.analysis.questions.taken_on import NOBODY, TakenOn, Trust, taken_on
from keystead.analysis.report import place, sentence
from keystead.policy.request import AuthorizationRequest


def through_roles(change: Change, budget: Budget) -> Iterator[Violation]:
    """Each role by which somebody from outside may do with the key what it could not before.

    Where outsiders could take on the role before, an operation is new if the role had no request for it at all.
    """
    before = {name_of(one.principal): one for one in change.people_before if one.trust is not None}
    touched = Touched(change)
    for role in change.people_after:
        was = before.get(name_of(role.principal))
        if role.trust is None or not names_outsiders(role.trust, change.zone):
            continue
        if was is not None and was.trust == role.trust and alike(was, role) and not touched.concerns(role):
            continue
        if possible(change.after, role) & (MANAGE | USE):
            yield from _of_role(change, was, role, budget)


def _of_role(change: Change, was: Standing | None, role: Standing, budget: Budget) -> Iterator[Violation]:
    before, after = _trust(change.before or change.after, was), _trust(change.after, role)
    anew = taken_on(before, after, name_of(role.principal), change.zone, budget)
    if anew is not None:
        use = Holding(change.after, role, budget).any_of(MANAGE | USE)
    else:
        anew = taken_on(NOBODY, after, name_of(role.principal), change.zone, budget)
        use = None if anew is None else _gained(change, was, role, budget)
    if anew is not None and use is not None:
        yield _violation(role, anew, use)


def _trust(key: Key, role: Standing | None) -> Trust:
    """Who may take on the role, under the RCPs of the key's account, which is the role's."""
    return NOBODY if role is None or role.trust is None else Trust(role.trust, key.resource_control)


def _gained(
    change: Change, was: Standing | None, role: Standing, budget: Budget
) -> AuthorizationRequest | None:
    """A request for an operation that the role may ask for now and might not before."""
    now = Holding(change.after, role, budget)
    then = None if was is None or change.before is None else Holding(change.before, was, budget)
    for operation in sorted(possible(change.after, role) & (MANAGE | USE)):
        found = now.any_of((operation,))
        if found is not None and (then is None or then.any_of((operation,)) is None):
            return found
    return None


def _violation(role: Standing, by: TakenOn, use: AuthorizationRequest) -> Violation:
    policy = f"the trust policy of {name_of(role.principal)}"
    return Violation(
        kind="outside",
        message=f"new access from outside by {place(policy, by.statement, by.sid)}: {sentence(by.witness)}, "
        f"and then {sentence(use)}",
        policy=policy.removeprefix("the "),
        statement=by.statement,
        sid=by.sid,
        witness=use,
    )
