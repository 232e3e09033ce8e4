"""Policy documents of requests, checked before they are stored; what is stored is the text as it was put."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.directory import ROLES, USERS, bind
from keystead.identity import Role
from keystead.identity.names import USER
from keystead.policy import named_principals
from keystead.policy.lint import validate_policy
from keystead.services.iam.shown import shown_document
from keystead.storage import Table

LARGEST_TRUST: Final = 2048
LARGEST_MANAGED: Final = 6144
"""Characters without white space (IAM User Guide, "IAM and AWS STS quotas")."""


class CheckedTrust(msgspec.Struct, frozen=True):
    """A trust policy that may be stored; `trusted` as in `Role`."""

    text: str
    trusted: tuple[tuple[str, str], ...]


def checked_identity(text: str | None) -> str:
    """The text, which is a policy of a user, group or role; how long it may be is the holder's affair.

    Raises:
        errors.MalformedPolicyDocument: it is none; the message names the fault.
    """
    validate_policy(text or "", "identity")
    return text or ""


def checked_managed(text: str | None) -> str:
    """The text, which is a managed policy.

    Raises:
        errors.MalformedPolicyDocument: it is none; the message names the fault.
        errors.LimitExceeded: it is too long.
    """
    checked = checked_identity(text)
    if length(checked) > LARGEST_MANAGED:
        raise errors.LimitExceeded(f"Cannot exceed quota for PolicySize: {LARGEST_MANAGED}")
    return checked


def checked_trust(call: Call, text: str | None) -> CheckedTrust:
    """The trust policy, with the users and roles that it names.

    Raises:
        errors.MalformedPolicyDocument: it is none, or names a principal that does not exist.
        errors.LimitExceeded: it is too long.
    """
    document = text or ""
    validate_policy(document, "trust")
    if length(document) > LARGEST_TRUST:
        raise errors.LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {LARGEST_TRUST}")
    bound, missing = bind(call.tx, named_principals(document))
    if missing:
        raise errors.MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{missing[0]}"')
    return CheckedTrust(document, tuple(sorted(bound.items())))


def shown_trust(call: Call, role: Role) -> str:
    """The role's trust policy with its principals as they are now.

    A user or role that has moved has its new ARN, and one that is gone its unique id (IAM User Guide, "AWS
    JSON policy elements: Principal").
    """
    text = role.trust
    for bound, identity in role.trusted:
        table: Table[Any] = USERS if identity.startswith(USER) else ROLES
        found = call.tx.get(table, f"{bound.split(':')[4]}/{identity}")
        now = found.arn if found is not None else identity
        if now != bound and ":iam:" in bound:
            text = text.replace(json.dumps(bound), json.dumps(now))
    return shown_document(text)


def length(document: str) -> int:
    """The characters of a document that count: all but white space."""
    return sum(not character.isspace() for character in document)
