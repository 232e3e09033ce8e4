"""Who calls a server under test: an access key, temporary or not, and the clients that sign with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

ANYBODY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},'
    '"Action":["sts:AssumeRole","sts:TagSession"]}]}'
)
"""Whom a role of a test trusts unless it says: everybody whom their own account lets."""


class Home(Protocol):
    """The server that a principal calls."""

    def environment_of(self, person: Person) -> dict[str, str]:
        """The variables that AWS clients read."""
        ...

    def client_of(self, person: Person, service: str, region: str | None = None, **options: Any) -> Any:
        """A boto3 client that signs as the principal."""
        ...


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A root, user or session with the credentials that it signs with; `token` is a session's."""

    arn: str
    account: str
    access_key_id: str
    secret_access_key: str
    token: str | None = None
    id: str = ""
    """The unique id of the user, or of the session's role."""
    home: Home

    def __repr__(self) -> str:
        return f"Person({self.arn})"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that AWS clients read."""
        return self.home.environment_of(self)

    def client(self, service: str = "kms", region: str | None = None, **options: Any) -> Any:
        """A boto3 client that signs as this principal."""
        return self.home.client_of(self, service, region, **options)


def allow(*actions: str, resource: str | list[str] = "*", **conditions: Mapping[str, Any]) -> dict[str, Any]:
    """An identity policy with one statement; `conditions` by operator: `StringEquals={"aws:PrincipalTag/a": "b"}`."""
    return _one("Allow", actions, resource, conditions)


def deny(*actions: str, resource: str | list[str] = "*", **conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The same, refusing."""
    return _one("Deny", actions, resource, conditions)


def _one(
    effect: str, actions: tuple[str, ...], resource: str | list[str], conditions: Mapping[str, Any]
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": effect, "Action": list(actions), "Resource": resource}
    if conditions:
        statement["Condition"] = dict(conditions)
    return {"Version": "2012-10-17", "Statement": [statement]}
