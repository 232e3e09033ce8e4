"""A simulated request: its caller, the policies on the caller's side, and what is excluded from them.

Each policy keeps its text and the name by which results speak of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target
from keystead.api.directory import GROUPS
from keystead.api.guardrails import Place, place_of
from keystead.api.operation import Targets
from keystead.api.reading import Reading
from keystead.api.standing import compiled
from keystead.identity import Group, Role, User
from keystead.policy import CompiledPolicy, Level, Principal
from keystead.policy.aws_managed import AWS_MANAGED
from keystead.policy.pattern import glob
from keystead.services.iam.entities import existing_group, existing_role, existing_user
from keystead.services.iam.managed import find_policy
from keystead.wire.models import iam as wire

Entity = User | Group | Role

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)

_FIND: Final[dict[str, Callable[[Call, str], Entity]]] = {
    "user": existing_user,
    "group": existing_group,
    "role": existing_role,
}


class Source(msgspec.Struct, frozen=True):
    """One policy; `id` and `type` as results name it, `text` as it was put."""

    id: str
    type: str
    text: str
    policy: CompiledPolicy
    arn: str = ""
    holder: str = ""
    """For an inline policy the identity that it is embedded in."""


class CallerSide(msgspec.Struct, frozen=True):
    """The simulated caller and what is on its side."""

    principal: Principal
    sources: tuple[Source, ...]
    boundary: CompiledPolicy | None = None
    service_control: tuple[Level, ...] = ()


def source(identifier: str, kind: str, text: str, **more: str) -> Source:
    """The policy of this text.

    Raises:
        errors.InvalidInput: it is no policy.
    """
    try:
        return Source(identifier, kind, text, compiled(text, identifier), **more)
    except errors.MalformedPolicyDocument as error:
        raise errors.InvalidInput(f"Invalid policy document in {identifier}: {error}") from None


def input_sources(texts: Sequence[str] | None, name: str = "PolicyInputList") -> tuple[Source, ...]:
    """The policies of a request's list, named as AWS names them.

    Raises:
        errors.InvalidInput: one is no policy.
    """
    return tuple(source(f"{name}.{number}", "none", text) for number, text in enumerate(texts or (), 1))


def input_boundary(texts: Sequence[str] | None) -> CompiledPolicy | None:
    """The permissions boundary of a request, None if it gives none.

    Raises:
        errors.InvalidInput: there are several, or it is no policy.
    """
    if texts is not None and len(texts) > 1:
        raise errors.InvalidInput("Only one permissions boundary policy can be specified.")
    found = input_sources(texts, "PermissionsBoundaryPolicyInputList")
    return found[0].policy if found else None


# ---------------------------------------------------------------------------------- identities


def on_source(action: str) -> Targets:
    """The user, group or role that `request.policy_source_arn` names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        identifier = request.policy_source_arn or ""
        return (Target(f"iam:{action}", identifier, owner_of(identifier) or call.account),)

    return targets


def owner_of(identifier: str) -> str:
    """The account in an ARN, or the account id itself; empty if there is none."""
    if _ACCOUNT.fullmatch(identifier):
        return identifier
    try:
        account = arn.parse(identifier).account
    except ValueError:
        return ""
    return account if _ACCOUNT.fullmatch(account) else ""


def entity_at(call: Call, identifier: str) -> Entity:
    """The user, group or role of the caller's account with this ARN.

    Raises:
        errors.InvalidInput: it is the ARN of something else.
        errors.NoSuchEntity: there is none.
    """
    account, kind, name = _parts(identifier)
    found = _FIND[kind](call, name) if account == call.account else None
    if found is None or found.arn != identifier:
        raise errors.NoSuchEntity(f"The {kind} with name {name} cannot be found.")
    return found


def _parts(identifier: str) -> tuple[str, str, str]:
    """Account, kind and name in an identity's ARN.

    Raises:
        errors.InvalidInput: it is the ARN of something else.
    """
    try:
        parts = arn.parse(identifier)
    except ValueError:
        raise errors.InvalidInput(f"Invalid Entity Arn: {identifier} is not a valid ARN.") from None
    kind, _, rest = parts.resource.partition("/")
    if parts.service != "iam" or kind not in _FIND or not rest:
        raise errors.InvalidInput(
            f"Invalid Entity Arn: {identifier} does not clearly define entity type and name."
        )
    return parts.account, kind, rest.rpartition("/")[2]


def principal_of(call: Call, identifier: str) -> Principal:
    """The caller that an ARN names; one that is not there is one without tags and unique id.

    Raises:
        errors.InvalidInput: it is not the ARN of a user, group or role.
    """
    account, kind, _ = _parts(identifier)
    try:
        found: Entity | None = entity_at(call, identifier)
    except errors.NoSuchEntity:
        found = None
    place = place_of(Reading(call.tx), account)
    known: dict[str, Any] = {
        "arn": identifier,
        "account": account,
        "org_id": place.org_id,
        "org_path": place.org_path,
        "management_account": place.management,
    }
    if isinstance(found, User | Role):
        known |= {"user_id": found.id, "unique_id": found.id, "tags": found.tags}
    if isinstance(found, Role):
        known["service_linked_role"] = bool(found.service_linked)
    if kind == "role":
        return Principal(type="role", role_arn=identifier, **known)
    return Principal(type="user", **known)


# ------------------------------------------------------------------------------------ policies


def sources_of(call: Call, entity: Entity) -> tuple[Source, ...]:
    """The policies of an identity: embedded, attached, and of a user those of its groups."""
    found = list(_held(call, entity))
    if isinstance(entity, User):
        for group in entity.groups:
            held = call.tx.get(GROUPS, f"{entity.account}/{group}")
            found += _held(call, held) if held is not None else ()
    return tuple(found)


def _held(call: Call, entity: Entity) -> Iterator[Source]:
    kind = type(entity).__name__.lower()
    for name, text in entity.inline.items():
        yield source(f"{kind}_{entity.name}_{name}", kind, text, holder=f"{kind}/{entity.name}/{name}")
    for policy_arn in entity.attached:
        managed = find_policy(call, policy_arn)
        if managed is not None:
            owner = "aws-managed" if policy_arn in AWS_MANAGED else "user-managed"
            yield source(managed.name, owner, managed.document, arn=policy_arn)


def boundary_of(call: Call, entity: Entity) -> CompiledPolicy | None:
    """The identity's permissions boundary, None if it has none; one that is gone allows nothing."""
    if isinstance(entity, Group) or not entity.boundary:
        return None
    managed = find_policy(call, entity.boundary)
    return CompiledPolicy((), None) if managed is None else compiled(managed.document, managed.name)


def place(call: Call, account: str) -> Place:
    """Where an account stands in its organization."""
    return place_of(Reading(call.tx), account)


def input_levels(levels: Sequence[wire.OrderedOrganizationPolicyType] | None) -> tuple[Level, ...]:
    """The levels of service control policies that a request gives.

    Raises:
        errors.InvalidInput: one of them is no policy.
    """
    name = "ServiceControlPolicyInputList"
    return tuple(
        Level(tuple(found.policy for found in input_sources(level.service_control_policy_input_list, name)))
        for level in levels or ()
    )


# ---------------------------------------------------------------------------------- exclusions

_INLINE: Final = frozenset({"user", "group", "role"})
_COLONS: Final = 5
"""In the ARN of a policy."""


def without(side: CallerSide, exclusions: Sequence[wire.PolicyIdentifier] | None) -> CallerSide:
    """The side without the policies that a request excludes; what matches nothing is ignored.

    Raises:
        errors.InvalidInput: an identifier names no policy, or several things at once.
    """
    for each in exclusions or ():
        given = [each.policy_type, each.policy_arn, each.inline_policy_identifier]
        if sum(one is not None for one in given) != 1:
            raise errors.InvalidInput(
                "Specify exactly one of PolicyType, PolicyArn, or InlinePolicyIdentifier to identify policies."
            )
        side = _without(side, each)
    return side


def _without(side: CallerSide, excluded: wire.PolicyIdentifier) -> CallerSide:
    if excluded.policy_type == "permission-boundary":
        return msgspec.structs.replace(side, boundary=None)
    if excluded.policy_type == "scp":
        return msgspec.structs.replace(side, service_control=())
    matches = _matching(excluded)
    left = tuple(found for found in side.sources if not matches(found))
    return msgspec.structs.replace(side, sources=left)


def _matching(excluded: wire.PolicyIdentifier) -> Callable[[Source], bool]:
    """Whether a policy is the excluded one; wild cards act in a managed policy's name."""
    if excluded.policy_type is not None:
        types = _INLINE if excluded.policy_type == "inline" else frozenset({excluded.policy_type})
        return lambda found: found.type in types
    inline = excluded.inline_policy_identifier
    if inline is not None:
        holder = f"{inline.attachment_type}/{inline.attachment_name}/{inline.policy_name}"
        return lambda found: found.holder == holder
    policy_arn = excluded.policy_arn or ""
    head, _, name = policy_arn.rpartition(":policy/")
    if not head or policy_arn.count(":") != _COLONS or "*" in head or "?" in head or name.count("*") > 1:
        raise errors.InvalidInput(f"ARN {policy_arn} is not valid.")
    like = glob(policy_arn)
    return lambda found: bool(found.arn) and like(found.arn)
