"""What people and programs are shown of an answer: findings, each with its place and its witness."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from keystead.analysis.condition_keys import CALLER_KEYS, family_of
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.policy.request import AuthorizationRequest, Principal

Level = Literal["error", "warning", "note"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was found.

    Attributes:
        rule: what kind of thing, by its stable name.
        level: how grave it is; an `error` makes the command end with exit status 1.
        message: one sentence.
        policy: the file or policy that it is about.
        line: the line of the file where what is spoken of begins, from 1.
        statement: the statement in it that matters, by its place from 0; `sid` is its Sid.
        witness: a request that shows it, as a case of `keystead policy simulate` without its policies.
    """

    rule: str
    level: Level
    message: str
    policy: str | None = None
    line: int | None = None
    statement: int | None = None
    sid: str | None = None
    witness: dict[str, Any] | None = None
    details: dict[str, Any] = {}


def case(request: AuthorizationRequest) -> dict[str, Any]:
    """The request as a case of `keystead policy simulate`, its policies left out."""
    caller = request.principal
    who = {
        "type": caller.type, "arn": caller.arn, "roleArn": caller.role_arn, "issuerArn": caller.issuer_arn,
        "service": caller.service, "provider": caller.provider, "userId": caller.unique_id,
    }  # fmt: skip
    return {
        "principal": {name: value for name, value in who.items() if value},
        "request": {
            "action": request.action,
            "resource": request.resource,
            "resourceAccount": request.account,
            "context": {_name(key): request.context.get(key) for key in sorted(_keys(request))},
        },
    }


def _keys(request: AuthorizationRequest) -> list[str]:
    context = request.context
    return list(context) if isinstance(context, dict) else []


def _name(key: str) -> str:
    row = CONDITION_KEYS.get(key)
    if row is not None:
        return row.name
    family = family_of(key)
    return key if family is None else family.prefix + key[len(family.prefix) :]


def who(caller: Principal) -> str:
    """The caller in a few words."""
    if caller.type == "service":
        return f"the service {caller.service}"
    if caller.type == "webIdentity":
        return f"an identity of the provider {caller.provider}"
    return caller.arn


def sentence(request: AuthorizationRequest) -> str:
    """The request in one sentence, with the condition keys that the caller does not tell already."""
    given = {key: request.context.get(key) for key in sorted(_keys(request)) if key not in CALLER_KEYS}
    conditions = ", ".join(f"{_name(key)} = {_shown(value)}" for key, value in given.items())
    said = f"{who(request.principal)} may {request.action} on {request.resource}"
    return f"{said} with {conditions}" if conditions else said


def place(policy: str, number: int | None, sid: str | None) -> str:
    """A policy, and the statement in it that is meant, if one is."""
    if number is None:
        return policy
    return f"{policy}, Statement[{number}]" + (f" ({sid})" if sid else "")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f'"{value}"'
