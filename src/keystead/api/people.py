"""An account's people, as the analysis of policies takes them: its root user, its users, and a session of each role.

They are read with what the transaction itself has written, so that a change can be looked at before it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from keystead import arn
from keystead.analysis.effective import Standing
from keystead.api.directory import ROLES, USERS
from keystead.api.guardrails import Place, place_of
from keystead.api.reading import Reading
from keystead.api.standing import policies_held
from keystead.identity import Role, User
from keystead.identity.names import session_arn
from keystead.policy import CompiledPolicy, Policies, Principal, compile_policy, parse
from keystead.storage import Table, Transaction

E = TypeVar("E", User, Role)

_TAG_SESSION: Final = "sts:tagsession"
_MOST_COMPILED: Final = 4096
_SESSION: Final = "session"
"""The name of the session that stands for all of a role's."""


def people(tx: Transaction, account: str) -> list[Standing]:
    """The root user, every user and a session of every role of the account, with the policies on their side."""
    reading = Reading(tx)
    place = place_of(reading, account)
    root = Principal(type="root", arn=arn.root_arn(account), account=account)
    return [
        Standing(
            principal=_placed(root, place),
            policies=Policies(service_control=place.service_control),
            tagged=True,
        ),
        *(_of_user(reading, user, place) for user in _rows(tx, USERS, account)),
        *(_of_role(reading, role, place) for role in _rows(tx, ROLES, account)),
    ]


def _rows(tx: Transaction, table: Table[E], account: str) -> Iterator[E]:
    """The records of the account, as they are when the transaction commits."""
    found = dict[str, msgspec.Struct | None](tx.scan(table, f"{account}/"))
    found |= {key: write.record for (name, key), write in tx.writes.items() if name == table.name}
    for key in sorted(found):
        record = found[key]
        if isinstance(record, table.record) and key.startswith(f"{account}/"):
            yield record


def _of_user(reading: Reading, user: User, place: Place) -> Standing:
    caller = Principal(
        type="user", arn=user.arn, account=user.account, user_id=user.id, unique_id=user.id, tags=user.tags
    )
    return Standing(
        principal=_placed(caller, place), policies=policies_held(reading, user, place), tagged=True
    )


def _of_role(reading: Reading, role: Role, place: Place) -> Standing:
    caller = Principal(
        type="assumedRole",
        arn=session_arn(role.account, role.name, _SESSION),
        account=role.account,
        role_arn=role.arn,
        user_id=f"{role.id}:{_SESSION}",
        unique_id=role.id,
        tags=role.tags,
        service_linked_role=bool(role.service_linked),
    )
    trust = trust_policy(role)
    return Standing(
        principal=_placed(caller, place),
        policies=policies_held(reading, role, place),
        tagged=not _tags_sessions(trust),
        trust=trust,
    )


def trust_policy(role: Role) -> CompiledPolicy:
    """The role's trust policy compiled; once per version, since the text is the version."""
    return _trust(role.trust, role.trusted)


@lru_cache(_MOST_COMPILED)
def _trust(text: str, bound: tuple[tuple[str, str], ...]) -> CompiledPolicy:
    return compile_policy(parse(text), "trust policy", dict(bound))


@lru_cache(_MOST_COMPILED)
def _tags_sessions(trust: CompiledPolicy) -> bool:
    """Whether who takes on the role may give the session tags of its own."""
    return any(one.effect == "Allow" and one.action(_TAG_SESSION) for one in trust.statements)


def _placed(caller: Principal, place: Place) -> Principal:
    return msgspec.structs.replace(
        caller, org_id=place.org_id, org_path=place.org_path, management_account=place.management
    )
