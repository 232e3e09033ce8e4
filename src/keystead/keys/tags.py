"""Tags: the rules of TagResource and of every operation that takes tags at creation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keystead import errors

MOST_TAGS = 50
RESERVED = "aws:"
MOST_ALIKE = 4
"""Tag keys that may differ from another of the same KMS key only in case; each doubles what policies are asked."""


def check_new_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags as a map.

    Raises:
        errors.TagError: a tag key comes twice, is reserved, or there are too many, or too many alike.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise errors.TagError("Duplicate tag keys")
        if key.lower().startswith(RESERVED):
            raise errors.TagError("Tags beginning with aws: are reserved")
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


def _check_together(tags: Mapping[str, str]) -> None:
    if len(tags) > MOST_TAGS:
        raise errors.TagError("Too many tags")
    if len(tags) - len(set(map(str.lower, tags))) > MOST_ALIKE:
        raise errors.TagError("Too many tag keys differ only in case")
