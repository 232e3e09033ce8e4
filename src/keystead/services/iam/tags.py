"""Tags of users, roles, managed policies, OpenID Connect providers and MFA devices: Tag, Untag, List for each.

Source: IAM User Guide, "Tags for IAM resources": keys keep their case but are unique without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from keystead.api import Call, Target, operation
from keystead.api.operation import Operation, Targets
from keystead.services.iam.entities import existing_role, existing_user, put
from keystead.services.iam.managed import existing_policy, own_policy, put_policy
from keystead.services.iam.mfa import change_device, existing_device, on_device
from keystead.services.iam.oidc import existing_provider, on_provider, put_provider
from keystead.services.iam.paging import page_list
from keystead.services.iam.shown import shown_tags
from keystead.services.iam.tag_rules import laid_over, new_tags
from keystead.services.iam.targets import Facts, on_policy, on_role, on_user, request_tags, tag_keys
from keystead.wire.models import iam as wire


class _Tagged(msgspec.Struct, frozen=True):
    """One kind of thing that has tags; `member` is the request's attribute that names one."""

    noun: str
    member: str
    on: Callable[[str, Facts | None], Targets]
    find: Callable[[Call, str], Any]
    change: Callable[[Call, str], Any]
    put: Callable[[Call, Any], None]

    def name(self, request: Any) -> str:
        """What the request names."""
        return getattr(request, self.member) or ""


_PROVIDER: Final = "open_id_connect_provider_arn"
_TAGGED: Final = (
    _Tagged("User", "user_name", on_user, existing_user, existing_user, put),
    _Tagged("Role", "role_name", on_role, existing_role, existing_role, put),
    _Tagged("Policy", "policy_arn", on_policy, existing_policy, own_policy, put_policy),
    _Tagged(
        "OpenIDConnectProvider", _PROVIDER, on_provider, existing_provider, existing_provider, put_provider
    ),
    _Tagged("MFADevice", "serial_number", on_device, existing_device, existing_device, change_device),
)


def _operations(kind: _Tagged) -> Iterator[Operation]:
    """The three operations of one kind."""
    tag, untag, listed = f"Tag{kind.noun}", f"Untag{kind.noun}", f"List{kind.noun}Tags"
    yield operation(tag, targets=kind.on(tag, request_tags), changes=True)(_tagging(kind))
    yield operation(untag, targets=kind.on(untag, tag_keys), changes=True)(_untagging(kind))
    yield operation(listed, targets=kind.on(listed, None))(_listing(kind))


def _tagging(kind: _Tagged) -> Any:
    def tag(call: Call, request: Any, _target: Target) -> None:
        """Add tags, and replace the values of those that are there."""
        found = kind.change(call, kind.name(request))
        tags = laid_over(found.tags, new_tags(request.tags))
        kind.put(call, msgspec.structs.replace(found, tags=tags))

    return tag


def _untagging(kind: _Tagged) -> Any:
    def untag(call: Call, request: Any, _target: Target) -> None:
        """Remove tags; those that are not there are no error."""
        found = kind.change(call, kind.name(request))
        gone = {key.lower() for key in request.tag_keys or ()}
        tags = {key: value for key, value in found.tags.items() if key.lower() not in gone}
        kind.put(call, msgspec.structs.replace(found, tags=tags))

    return untag


def _listing(kind: _Tagged) -> Any:
    answer: Any = getattr(wire, f"List{kind.noun}TagsResponse")

    def list_tags(call: Call, request: Any, _target: Target) -> Any:
        """Return a page of the tags, by key."""
        name = kind.name(request)
        tags = getattr(kind.find(call, name), "tags", {})  # policies of AWS have none
        found, marker = page_list(call, request, shown_tags(dict(sorted(tags.items()))), name)
        return answer(tags=found, is_truncated=marker is not None, marker=marker)

    return list_tags


OPERATIONS = tuple(op for kind in _TAGGED for op in _operations(kind))
