"""Tags: the rules of TagResource and of every operation that takes tags at creation."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from keystead import errors

MOST_TAGS = 50
RESERVED = "aws:"
MOST_ALIKE = 4
"""Tag keys that may differ from another of the same KMS key only in case; each doubles what policies are asked."""
_CATEGORIES: Final = frozenset("LNZ")
"""Of Unicode: letters, numbers and spaces."""
_SIGNS: Final = frozenset("_.:/=+-@")


def check_new_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags as a map.

    Raises:
        errors.TagError: a tag key comes twice or is reserved, one or its value has a character that tags cannot have
            (Tagging AWS resources, in the AWS General Reference), or there are too many, or too many alike.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise errors.TagError("Duplicate tag keys")
        if key.lower().startswith(RESERVED):
            raise errors.TagError("Tags beginning with aws: are reserved")
        if not all(map(_fits, key + value)):
            raise errors.TagError("Invalid tag")
        tags[key] = value
    _check_together(tags)
    return tags


def merge_tags(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`old` with `new` laid over it.

    Raises:
        errors.TagError: there would be more than 50, or too many that differ only in case.
    """
    merged = {**old, **new}
    _check_together(merged)
    return merged


def _fits(character: str) -> bool:
    return unicodedata.category(character)[0] in _CATEGORIES or character in _SIGNS


def _check_together(tags: Mapping[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        raise errors.TagError("Too many tags")
    if len(tags) - len(set(map(str.lower, tags))) > MOST_ALIKE:
        raise errors.TagError("Too many tag keys differ only in case")
