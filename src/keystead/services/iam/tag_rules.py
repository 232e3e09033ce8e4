"""What tags of IAM's resources may be. Source: IAM User Guide, "Tags for IAM resources"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from keystead import errors
from keystead.wire.models import iam as wire

MOST_TAGS: Final = 50
_RESERVED: Final = "aws:"


def new_tags(given: Sequence[wire.Tag] | None) -> dict[str, str]:
    """The tags of a request as a map.

    Raises:
        errors.InvalidInput: a key comes twice (case does not count), or begins with `aws:`.
    """
    tags: dict[str, str] = {}
    seen: set[str] = set()
    for tag in given or ():
        key = tag.key or ""
        if key.lower().startswith(_RESERVED):
            raise errors.InvalidInput("Tag keys that start with aws: are reserved.")
        if key.lower() in seen:
            raise errors.InvalidInput(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        seen.add(key.lower())
        tags[key] = tag.value or ""
    return tags


def laid_over(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`old` with `new` over it; a key that differs in case only takes the old one's place.

    Raises:
        errors.LimitExceeded: there would be more than 50.
    """
    replaced = {key.lower() for key in new}
    merged = {**{key: value for key, value in old.items() if key.lower() not in replaced}, **new}
    if len(merged) > MOST_TAGS:
        raise errors.LimitExceeded(f"The number of tags has reached the maximum limit: {MOST_TAGS}.")
    return merged
