"""What tags may be. Source: AWS Organizations User Guide, "Tagging AWS Organizations resources"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from keystead.services.organizations import limits
from keystead.services.organizations.refusals import constraint, invalid
from keystead.wire.models import organizations as wire

_RESERVED: Final = "aws:"


def new_tags(given: Sequence[wire.Tag] | None) -> dict[str, str]:
    """The tags of a request as a map.

    Raises:
        errors.OrganizationsInvalidInput: a key comes twice, or begins with `aws:`.
        errors.ConstraintViolation: there are more than 50.
    """
    tags: dict[str, str] = {}
    for tag in given or ():
        key = tag.key or ""
        check_key(key)
        if key in tags:
            raise invalid("DUPLICATE_TAG_KEY")
        tags[key] = tag.value or ""
    return laid_over({}, tags)


def laid_over(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`old` with `new` over it.

    Raises:
        errors.ConstraintViolation: there would be more than 50.
    """
    merged = {**old, **new}
    if len(merged) > limits.TAGS:
        raise constraint("MAX_TAG_LIMIT_EXCEEDED")
    return merged


def check_key(key: str) -> None:
    """Return if a tag of that name may be put on or taken off.

    Raises:
        errors.OrganizationsInvalidInput: it begins with `aws:`.
    """
    if key.lower().startswith(_RESERVED):
        raise invalid("INVALID_SYSTEM_TAGS_PARAMETER")
