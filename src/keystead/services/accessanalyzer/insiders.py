"""What an analyzer of internal access finds of a key: which users and roles of its accounts may do what with it.

Everything decides together: key policy, grants, identity policies, boundaries, SCPs and RCPs. Nothing here is stored. What was
found of one user or role and one key is remembered, since a change is mostly of one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec

from keystead import __version__, errors
from keystead.analysis.account import entries_of
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.internal import Inside, internal_access
from keystead.api.analyzed import Analyzed
from keystead.api.people import people
from keystead.arn import account_in
from keystead.policy import CompiledPolicy, Level, Policies, compile_key_policy
from keystead.policy.document import EVERYONE, Condition, Document, Statement
from keystead.policy.request import Value
from keystead.services.accessanalyzer.examine import zone_of
from keystead.services.accessanalyzer.tables import Analyzer, Insider
from keystead.storage import Transaction

_ALL: Final = Document((Statement(effect="Allow", actions=(EVERYONE,), resources=(EVERYONE,)),))
_MOST_REMEMBERED: Final = 20_000
_SESSION: Final = ":assumed-role/"


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """What a user or role (`principal` is its ARN) may do under the same conditions."""

    principal: str
    insider: Insider
    actions: tuple[str, ...]
    conditions: tuple[Condition, ...]


class _Person(msgspec.Struct, frozen=True):
    """A user or role; `mark` is of all that the answer depends on but the key."""

    name: str
    standing: Standing
    mark: bytes


class Insiders:
    """The users and roles of an analyzer's accounts, as they are in one transaction."""

    def __init__(self, tx: Transaction, analyzer: Analyzer) -> None:
        accounts = sorted(zone_of(tx, analyzer).accounts)
        self._people = [_person(one) for account in accounts for one in people(tx, account) if _named(one)]
        self._mark = sha256(b"".join(one.mark for one in self._people)).digest()

    def digest(self, resource: Analyzed, control: tuple[Level, ...]) -> bytes:
        """What changes whenever something else may be found."""
        return sha256(_of_key(resource, control) + self._mark).digest()

    def found(self, resource: Analyzed, control: tuple[Level, ...]) -> tuple[tuple[Within, ...], bool]:
        """What was found of the key, and whether it is all: of some people it may be too complex to decide.

        Raises:
            AnalysisFault: the evaluator contradicts the analysis.
            errors.MalformedPolicyDocument: the policy cannot be read.
        """
        key, mark, whole = _key(resource, control), _of_key(resource, control), True
        sessions, found = _sessions(key), list[Within]()
        for person in self._people:
            try:
                found += _within(resource, person, _remembered(key, mark, person, sessions))
            except errors.Undecided:
                whole = False
        return tuple(found), whole


def _named(standing: Standing) -> bool:
    """Whether findings speak of such a principal: of users and roles."""
    return standing.principal.type in _KINDS


_KINDS: Final = {"user": "IAM_USER", "assumedRole": "IAM_ROLE"}


def _person(standing: Standing) -> _Person:
    caller = standing.principal
    known: dict[str, Value | None] = {
        "aws:principalorgid": caller.org_id or None,
        "aws:principalorgpaths": (caller.org_path,) if caller.org_path else None,
    }
    if caller.type == "user":
        known["aws:userid"] = caller.user_id
    told = (caller, standing.tagged, _written(standing.policies))
    mark = sha256(msgspec.msgpack.encode(told, order="deterministic")).digest()
    return _Person(caller.role_arn or caller.arn, msgspec.structs.replace(standing, known=known), mark)


def _written(held: Policies) -> list[Any]:
    """What the policies on a principal's side say."""
    boundary = () if held.boundary is None else (held.boundary,)
    alone = (held.identity, held.group, boundary)
    levels = (level.policies for level in held.service_control)
    return [[_digest(policy) for policy in some] for some in (*alone, *levels)]


@lru_cache(4096)
def _digest(policy: CompiledPolicy) -> bytes:
    return sha256(msgspec.msgpack.encode(policy.document, order="deterministic")).digest()


# ------------------------------------------------------------------------------ the key


def _key(resource: Analyzed, control: tuple[Level, ...]) -> Key:
    return Key(
        arn=resource.arn,
        account=resource.account,
        policy=compile_key_policy(resource.policy, dict(resource.bound)),
        grants=resource.grants,
        resource_control=control,
        tags=dict(resource.tags),
        described=dict(resource.described),
    )


def _of_key(resource: Analyzed, control: tuple[Level, ...]) -> bytes:
    rcps = [[_digest(policy) for policy in level.policies] for level in control]
    return sha256(msgspec.msgpack.encode((__version__, resource, rcps), order="deterministic")).digest()


def _sessions(key: Key) -> dict[tuple[str, str], list[str]]:
    """The sessions that policy and grants name, by their role's account and name."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in sorted(entries_of(key)):
        if _SESSION in entry:
            role = entry.partition(_SESSION)[2].partition("/")[0]
            found.setdefault((account_in(entry), role), []).append(entry)
    return found


# ---------------------------------------------------------------------------- one by one

_answers: Final[dict[bytes, tuple[Inside, ...]]] = {}


def _remembered(
    key: Key, mark: bytes, person: _Person, sessions: dict[tuple[str, str], list[str]]
) -> tuple[Inside, ...]:
    """What the person may do with the key.

    Raises:
        Undecided: it is neither proven nor refuted.
    """
    asked = mark + person.mark
    known = _answers.get(asked)
    if known is None:
        known = tuple(_asked(key, person, sessions))
        while len(_answers) >= _MOST_REMEMBERED:
            _answers.pop(next(iter(_answers)))
        _answers[asked] = known
    return known


def _asked(key: Key, person: _Person, sessions: dict[tuple[str, str], list[str]]) -> Iterator[Inside]:
    """What any session of it may do, and what one that the key's policy or a grant names may."""
    yield from _without_witnesses(internal_access(key, person.standing))
    caller = person.standing.principal
    own = sessions.get((caller.account, caller.role_arn.rpartition("/")[2]), ()) if caller.role_arn else ()
    for entry in own:
        session = entry.rpartition("/")[2]
        named = msgspec.structs.replace(caller, arn=entry, user_id=f"{caller.unique_id}:{session}")
        standing = msgspec.structs.replace(person.standing, principal=named)
        yield from _without_witnesses(internal_access(key, standing))


def _without_witnesses(found: Iterable[Inside]) -> Iterator[Inside]:
    """What is remembered: each was confirmed by its request, which findings do not show."""
    return (msgspec.structs.replace(one, witnesses=()) for one in found)


def _within(resource: Analyzed, person: _Person, found: Iterable[Inside]) -> Iterator[Within]:
    caller = person.standing.principal
    insider = Insider(
        account=caller.account,
        kind=_KINDS[caller.type],
        access="INTRA_ACCOUNT" if caller.account == resource.account else "INTRA_ORG",
        restriction="APPLIED" if _restricted(person.standing) else "NOT_APPLICABLE",
    )
    actions: dict[tuple[Condition, ...], set[str]] = {}
    for one in found:
        actions.setdefault(one.conditions, set()).update(one.actions)
    for conditions, names in actions.items():
        yield Within(
            principal=person.name, insider=insider, actions=tuple(sorted(names)), conditions=conditions
        )


def _restricted(standing: Standing) -> bool:
    """Whether SCPs that say more than that all is allowed bind the principal."""
    caller = standing.principal
    if caller.management_account or caller.service_linked_role:
        return False
    levels = standing.policies.service_control
    return any(not _allows_all(policy) for level in levels for policy in level.policies)


def _allows_all(policy: CompiledPolicy) -> bool:
    return policy.document.statements == _ALL.statements
