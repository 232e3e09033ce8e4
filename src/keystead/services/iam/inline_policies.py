"""Policies embedded in a user, group or role: Put, Get, Delete and List for each.

Source: IAM API Reference, PutUserPolicy, PutGroupPolicy, PutRolePolicy and their kin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.operation import Operation
from keystead.services.iam.documents import checked_identity, length
from keystead.services.iam.entities import put
from keystead.services.iam.holders import HOLDERS, Holder, Identity
from keystead.services.iam.paging import page_list
from keystead.services.iam.shown import shown_document
from keystead.wire.models import iam as wire


def _operations(holder: Holder) -> Iterator[Operation]:
    """The four operations of one kind of identity."""
    yield operation(
        f"Put{holder.noun}Policy", targets=holder.on(f"Put{holder.noun}Policy", None), changes=True
    )(_putting(holder))
    yield operation(f"Get{holder.noun}Policy", targets=holder.on(f"Get{holder.noun}Policy", None))(
        _getting(holder)
    )
    yield operation(
        f"Delete{holder.noun}Policy", targets=holder.on(f"Delete{holder.noun}Policy", None), changes=True
    )(_deleting(holder))
    yield operation(f"List{holder.noun}Policies", targets=holder.on(f"List{holder.noun}Policies", None))(
        _listing(holder)
    )


def _putting(holder: Holder) -> Any:
    def put_policy(call: Call, request: Any, _identity: Target) -> None:
        """Add a policy to an identity, or replace the one of that name."""
        identity = holder.change(call, holder.name(request))
        documents = {**identity.inline, request.policy_name: checked_identity(request.policy_document)}
        if sum(map(length, documents.values())) > holder.inline:
            raise errors.LimitExceeded(
                f"Maximum policy size of {holder.inline} bytes exceeded for {holder.word} {identity.name}"
            )
        put(call, msgspec.structs.replace(identity, inline=documents))

    return put_policy


def _getting(holder: Holder) -> Any:
    answer: Any = getattr(wire, f"Get{holder.noun}PolicyResponse")

    def get_policy(call: Call, request: Any, _identity: Target) -> Any:
        """Return one policy of an identity."""
        identity = holder.find(call, holder.name(request))
        return answer(
            **{f"{holder.word}_name": identity.name},
            policy_name=request.policy_name,
            policy_document=shown_document(_document(holder, identity, request.policy_name)),
        )

    return get_policy


def _deleting(holder: Holder) -> Any:
    def delete_policy(call: Call, request: Any, _identity: Target) -> None:
        """Take a policy from an identity."""
        identity = holder.change(call, holder.name(request))
        _document(holder, identity, request.policy_name)
        left = {name: text for name, text in identity.inline.items() if name != request.policy_name}
        put(call, msgspec.structs.replace(identity, inline=left))

    return delete_policy


def _listing(holder: Holder) -> Any:
    answer: Any = getattr(wire, f"List{holder.noun}PoliciesResponse")

    def list_policies(call: Call, request: Any, _identity: Target) -> Any:
        """Return a page of the names of an identity's policies."""
        identity = holder.find(call, holder.name(request))
        names, marker = page_list(call, request, sorted(identity.inline), identity.id)
        return answer(policy_names=names, is_truncated=marker is not None, marker=marker)

    return list_policies


def _document(holder: Holder, identity: Identity, name: str) -> str:
    document = identity.inline.get(name)
    if document is None:
        raise errors.NoSuchEntity(f"The {holder.word} policy with name {name} cannot be found.")
    return document


OPERATIONS = tuple(op for holder in HOLDERS for op in _operations(holder))
