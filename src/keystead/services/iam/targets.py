"""From a request to the identities it names: the permissions that an operation needs, as data.

IAM asks for permission before it looks whether something exists, so a target is never missing: what does
not exist has the ARN that it would have under the path `/`, and the operation itself says that it is not
there. Sources: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and
Access Management"; IAM User Guide, "IAM and AWS STS condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from keystead import arn, errors
from keystead.api import Call, Target
from keystead.api.directory import AWS, group_named, policy_at, role_named, user_named
from keystead.api.operation import Targets
from keystead.identity import Group, ManagedPolicy, Role, User
from keystead.identity.caller import IAM_USER, ROOT
from keystead.identity.names import iam_arn

FactValues = dict[str, str | list[str]]
Facts = Callable[[Call, Any], FactValues]
Entity = User | Group | Role | ManagedPolicy


def on_account(action: str, facts: Facts | None = None) -> Targets:
    """The target of an operation that acts on no one thing: resource `*` in the caller's account."""
    return _on(action, facts, lambda call, _request: ("*", call.account, {}))


def on_listing(action: str, kind: str) -> Targets:
    """All users (groups, roles, …) of the caller's account under `request.path_prefix`."""
    return _on(action, None, lambda call, request: _listing(call, kind, request))


def on_user(action: str, facts: Facts | None = None) -> Targets:
    """The user that `request.user_name` names."""
    return _on(action, facts, lambda call, request: _named(call, "user", request.user_name, user_named))


def on_own_user(action: str, facts: Facts | None = None) -> Targets:
    """The user that `request.user_name` names; without a name the caller itself, a user or the root."""
    return _on(action, facts, _own_user)


def on_group(action: str, facts: Facts | None = None) -> Targets:
    """The group that `request.group_name` names."""
    return _on(action, facts, lambda call, request: _named(call, "group", request.group_name, group_named))


def on_role(action: str, facts: Facts | None = None) -> Targets:
    """The role that `request.role_name` names."""
    return _on(action, facts, lambda call, request: _named(call, "role", request.role_name, role_named))


def on_policy(action: str, facts: Facts | None = None) -> Targets:
    """The managed policy that `request.policy_arn` names."""
    return _on(action, facts, lambda call, request: _policy(call, request.policy_arn or ""))


def on_new(action: str, kind: str, name: str, facts: Facts | None = None, *, tagging: str = "") -> Targets:
    """What is to be made: of `kind` (`user`, `mfa`, …), named by the request's attribute `name`.

    `tagging` is the action that a request with `tags` takes too (IAM User Guide, "Tags for IAM resources").
    """

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        path = request.path or "/"
        resource = iam_arn(call.account, kind, path, getattr(request, name) or "")
        given = facts(call, request) if facts else {}
        new = Target(f"iam:{action}", resource, call.account, facts=given)
        if not tagging or not request.tags:
            return (new,)
        return new, Target(f"iam:{tagging}", resource, call.account, facts=request_tags(call, request))

    return targets


def own_user_name(call: Call, given: str | None) -> str | None:
    """The name of the user that a request is about: the given one, else the caller's; None for the root.

    Raises:
        errors.Validation: no name was given, and the caller is neither a user nor the root.
    """
    if given is not None:
        return given
    if call.caller.kind == IAM_USER:
        return call.caller.name
    if call.caller.kind == ROOT:
        return None
    raise errors.Validation("Must specify userName when calling with non-User credentials")


# ------------------------------------------------------------------------------------ facts


def request_tags(_call: Call, request: Any) -> FactValues:
    """`aws:RequestTag/…` and `aws:TagKeys` of a request's `tags`."""
    tags = [(tag.key or "", tag.value or "") for tag in request.tags or ()]
    facts: FactValues = {f"aws:RequestTag/{key}": value for key, value in tags}
    return {**facts, "aws:TagKeys": [key for key, _ in tags]} if tags else facts


def tag_keys(_call: Call, request: Any) -> FactValues:
    """`aws:TagKeys` of a request that takes tags off."""
    return {"aws:TagKeys": list(request.tag_keys)} if request.tag_keys else {}


def policy_arn(_call: Call, request: Any) -> FactValues:
    """`iam:PolicyARN`, of a request that attaches or detaches a managed policy."""
    return {"iam:PolicyARN": request.policy_arn} if request.policy_arn else {}


def asked_boundary(_call: Call, request: Any) -> FactValues:
    """`iam:PermissionsBoundary`, of a request that sets one."""
    given = request.permissions_boundary
    return {"iam:PermissionsBoundary": given} if given else {}


def held_boundary(holder: User | Role | None) -> FactValues:
    """`iam:PermissionsBoundary`, of a user or role that has one already."""
    return {"iam:PermissionsBoundary": holder.boundary} if holder is not None and holder.boundary else {}


def together(*parts: Facts) -> Facts:
    """Several functions' facts as one's."""

    def facts(call: Call, request: Any) -> FactValues:
        return {name: value for part in parts for name, value in part(call, request).items()}

    return facts


def resource_tags(tags: Mapping[str, str]) -> FactValues:
    """The tags of what exists; IAM knows them by two names."""
    named = ("aws:ResourceTag", "iam:ResourceTag")
    return {f"{name}/{key}": value for name in named for key, value in tags.items()}


# ------------------------------------------------------------------------------------ places

_Place = tuple[str, str, FactValues]
"""ARN, account, and the facts of what is there."""


def _on(action: str, facts: Facts | None, place: Callable[[Call, Any], _Place]) -> Targets:
    permission: Final = f"iam:{action}"

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        resource, account, known = place(call, request)
        given = {**known, **facts(call, request)} if facts else known
        return (Target(permission, resource, account, facts=given),)

    return targets


def _named(call: Call, kind: str, name: str | None, find: Callable[..., Entity | None]) -> _Place:
    entity = find(call.tx, call.account, name or "")
    if entity is None:
        return iam_arn(call.account, kind, "/", name or ""), call.account, {}
    return entity.arn, call.account, entity_facts(entity)


def entity_facts(entity: Entity) -> FactValues:
    """What conditions can ask of an identity or policy: its tags, and its permissions boundary."""
    facts = {} if isinstance(entity, Group) else resource_tags(entity.tags)
    return {**facts, **held_boundary(entity)} if isinstance(entity, User | Role) else facts


def _own_user(call: Call, request: Any) -> _Place:
    name = own_user_name(call, request.user_name)
    if name is None:
        return arn.root_arn(call.account), call.account, {}
    return _named(call, "user", name, user_named)


def _listing(call: Call, kind: str, request: Any) -> _Place:
    prefix = getattr(request, "path_prefix", None) or "/"
    return f"arn:aws:iam::{call.account}:{kind}{prefix}", call.account, {}


def _policy(call: Call, identifier: str) -> _Place:
    account = policy_account(identifier)
    if account == AWS:  # everybody's: no account's resource control comes between
        return identifier, call.account, {}
    policy = policy_at(call.tx, identifier)
    return identifier, account, entity_facts(policy) if policy is not None else {}


def policy_account(identifier: str) -> str:
    """The account in a managed policy's ARN (`aws` for those of AWS).

    Raises:
        errors.InvalidInput: it is no ARN of a managed policy.
    """
    try:
        parts = arn.parse(identifier)
    except ValueError:
        parts = None
    if parts is None or parts.service != "iam" or not parts.resource.startswith("policy/"):
        raise errors.InvalidInput(f"ARN {identifier} is not valid.")
    return parts.account
