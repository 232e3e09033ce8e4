"""What a request context is made of, and what the parameters of a KMS call say about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from keystead.policy import actions
from keystead.policy.request import Constraints, Grant, Principal, ResourceDescription, Value


class Parameters(Protocol):
    """The request parameters under their API names, nested values as dicts, lists and scalars."""

    def get(self, name: str, /) -> Any:
        """The parameter, or None if it was not given."""
        ...


class Facts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Everything that condition keys speak of.

    `given` holds what the transport knows (`aws:sourceip`, `kms:viaservice`, …) by lower-case key, and wins
    over what is derived. `grant` is the one being retired, for RetireGrant.
    """

    principal: Principal
    action: str
    resource: str
    account: str
    description: ResourceDescription = ResourceDescription()
    parameters: Parameters = {}
    given: Mapping[str, Value] = {}
    grant: Grant | None = None


def is_key(resource: str) -> bool:
    """Whether a resource is a key, by its ARN."""
    return ":key/" in resource and resource.split(":", 5)[-1].startswith("key/")


def operation(facts: Facts) -> str:
    """The action as the catalogue spells it, without `kms:`; empty if it is not one of KMS."""
    row = actions.find(facts.action)
    return row.name.removeprefix("kms:") if row else ""


# ------------------------------------------------------------------------ parameters


def text(value: Any) -> str | None:
    """The text form that a condition compares: `true` for True, a number as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list parameter."""
    return tuple(str(item) for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def pairs(value: Any) -> dict[str, str]:
    """The text pairs of a map parameter."""
    if not isinstance(value, Mapping):
        return {}
    return {str(name): str(item) for name, item in value.items() if isinstance(item, str)}


def tags(parameters: Parameters) -> dict[str, str]:
    """The tags that a call asks to set."""
    given = parameters.get("Tags")
    rows = [row for row in given if isinstance(row, Mapping)] if isinstance(given, list) else []
    return {str(row.get("TagKey")): str(row.get("TagValue") or "") for row in rows if row.get("TagKey")}


def tag_keys(facts: Facts) -> tuple[str, ...]:
    """The names of the tags that a call sets or removes."""
    if operation(facts) == "UntagResource":
        return texts(facts.parameters.get("TagKeys"))
    return tuple(tags(facts.parameters))


_CONTEXT_MEMBERS: Final = {
    "ReEncryptFrom": ("SourceEncryptionContext", "EncryptionContext"),
    "ReEncryptTo": ("DestinationEncryptionContext", "EncryptionContext"),
}
"""ReEncrypt has a context for each half; one that is called by the plain name stands in for either."""


def encryption_context(action: str, parameters: Parameters) -> dict[str, str]:
    """The encryption context that this check sees; empty if there is none."""
    row = actions.find(action)
    name = row.name.removeprefix("kms:") if row else ""
    for member in _CONTEXT_MEMBERS.get(name, ("EncryptionContext",)):
        value = parameters.get(member)
        if value is not None:
            return pairs(value)
    return {}


def constraints(value: Any) -> Constraints:
    """The Constraints parameter of CreateGrant; absent members are None."""
    members = value if isinstance(value, Mapping) else {}
    equals, subset = members.get("EncryptionContextEquals"), members.get("EncryptionContextSubset")
    return Constraints(
        encryption_context_equals=None if equals is None else pairs(equals),
        encryption_context_subset=None if subset is None else pairs(subset),
        source_arn=text(members.get("SourceArn")),
    )


def constraints_spoken_of(facts: Facts) -> Constraints | None:
    """The constraints that CreateGrant asks for, or those of the grant that RetireGrant retires."""
    if operation(facts) == "CreateGrant":
        return constraints(facts.parameters.get("Constraints"))
    if operation(facts) == "RetireGrant" and facts.grant is not None:
        return facts.grant.constraints
    return None


def context_pairs(facts: Facts) -> dict[str, str]:
    """The pairs behind `kms:EncryptionContext:<name>`."""
    spoken_of = constraints_spoken_of(facts)
    if spoken_of is None:
        return encryption_context(facts.action, facts.parameters)
    subset = spoken_of.encryption_context_subset or {}
    return {**subset, **(spoken_of.encryption_context_equals or {})}
