"""Tags: the rules of TagResource and of every operation that takes tags at creation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keystead import errors

MOST_TAGS = 50
RESERVED = "aws:"


def check_new_tags(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags as a map.

    Raises:
        errors.TagError: a tag key comes twice, is reserved, or there are too many.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise errors.TagError("Duplicate tag keys")
        if key.lower().startswith(RESERVED):
            raise errors.TagError("Tags beginning with aws: are reserved")
        tags[key] = value
    if len(tags) > MOST_TAGS:
        raise errors.TagError("Too many tags")
    return tags


def merge_tags(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """`old` with `new` laid over it.

    Raises:
        errors.TagError: there would be more than 50.
    """
    merged = {**old, **new}
    if len(merged) > MOST_TAGS:
        raise errors.TagError("Too many tags")
    return merged
