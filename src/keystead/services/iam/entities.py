"""Users and groups that a request names, and how a name is taken, changed and given up.

A name and what it names are two records; whoever writes one has read the other in the same transaction, so
that two calls never take one name.
"""

from __future__ import annotations

from typing import TypeVar

from keystead import errors
from keystead.api import Call
from keystead.api.directory import (
    GROUPS,
    NAMES,
    ROLES,
    USERS,
    Name,
    group_named,
    name_place,
    role_named,
    user_named,
)
from keystead.identity import Group, Role, User
from keystead.services.iam.managed import hold_policy
from keystead.storage import Table

Entity = TypeVar("Entity", User, Group, Role)


def existing_user(call: Call, name: str | None) -> User:
    """The user with this name.

    Raises:
        errors.NoSuchEntity: there is none in the caller's account.
    """
    return _existing(user_named(call.tx, call.account, name or ""), "user", name)


def existing_group(call: Call, name: str | None) -> Group:
    """The group with this name.

    Raises:
        errors.NoSuchEntity: there is none in the caller's account.
    """
    return _existing(group_named(call.tx, call.account, name or ""), "group", name)


def existing_role(call: Call, name: str | None) -> Role:
    """The role with this name.

    Raises:
        errors.NoSuchEntity: there is none in the caller's account.
    """
    return _existing(role_named(call.tx, call.account, name or ""), "role", name)


def _existing(found: Entity | None, kind: str, name: str | None) -> Entity:
    if found is None:
        raise errors.NoSuchEntity(f"The {kind} with name {name} cannot be found.")
    return found


def check_boundary(call: Call, policy_arn: str) -> None:
    """Return if the policy can be a permissions boundary; it is held until the call is through.

    Raises:
        errors.NoSuchEntity: there is no such policy, or it is another account's.
    """
    if not hold_policy(call, policy_arn):
        raise errors.NoSuchEntity(f"Scope ARN: {policy_arn} does not exist or is not attachable.")


def take_name(call: Call, entity: User | Group | Role) -> None:
    """None; the entity's name, which nobody else has, will lead to it.

    Raises:
        errors.EntityAlreadyExists: another one has the name, in whatever case.
    """
    kind = _kind(entity)
    place = name_place(kind, entity.account, entity.name)
    held = call.tx.get(NAMES, place)
    if held is not None and held.id != entity.id:
        raise errors.EntityAlreadyExists(f"{kind.capitalize()} with name {entity.name} already exists.")
    call.tx.put(NAMES, place, Name(entity.id))


def give_up_name(call: Call, entity: User | Group | Role) -> None:
    """None; the entity's name leads nowhere from now on."""
    call.tx.delete(NAMES, name_place(_kind(entity), entity.account, entity.name))


def put(call: Call, entity: User | Group | Role) -> None:
    """None; the entity will be stored as it is here."""
    if isinstance(entity, User):
        call.tx.put(USERS, _place(entity), entity)
    elif isinstance(entity, Group):
        call.tx.put(GROUPS, _place(entity), entity)
    else:
        call.tx.put(ROLES, _place(entity), entity)


def rename(call: Call, old: Entity, new: Entity) -> None:
    """None; `new` will stand where `old` did, under its own name and path. The unique id stays.

    Raises:
        errors.EntityAlreadyExists: another one has the new name.
    """
    if old.name.lower() != new.name.lower():
        give_up_name(call, old)
    take_name(call, new)
    put(call, new)


def remove(call: Call, entity: User | Group | Role) -> None:
    """None; the entity and its name will be gone."""
    give_up_name(call, entity)
    call.tx.delete(_TABLES[_kind(entity)], _place(entity))


_TABLES: dict[str, Table[User] | Table[Group] | Table[Role]] = {"user": USERS, "group": GROUPS, "role": ROLES}


def _kind(entity: User | Group | Role) -> str:
    return type(entity).__name__.lower()


def _place(entity: User | Group | Role) -> str:
    return f"{entity.account}/{entity.id}"
