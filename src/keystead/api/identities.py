"""How a user, group or role comes to be stored: the record, its name, and the count of its kind."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from keystead.api.directory import GROUPS, NAMES, ROLES, USERS, Name, name_place
from keystead.identity import Group, Role, User
from keystead.storage import Table, Transaction

E = TypeVar("E", User, Group, Role)

_TABLES: Final[dict[str, Table[Any]]] = {
    "user": USERS,
    "group": GROUPS,
    "role": ROLES,
}


def counter(account: str, kind: str) -> str:
    """The name of the counter of an account's `user`s, `group`s, `role`s or managed `policy`s."""
    return f"iam-{kind}/{account}"


def insert(tx: Transaction, entity: E) -> E:
    """The entity, which will be stored if nobody has its name when the transaction commits."""
    kind = type(entity).__name__.lower()
    tx.insert(NAMES, name_place(kind, entity.account, entity.name), Name(entity.id))
    tx.insert(_TABLES[kind], f"{entity.account}/{entity.id}", entity)
    tx.bump(counter(entity.account, kind), 1)
    return entity
