"""AddTags, RemoveTags, ListTags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.cloudtrail.access import existing, on_trail, on_trails
from keystead.services.cloudtrail.tables import TRAILS
from keystead.wire.models import cloudtrail as wire

_MOST: Final = 50


def new_tags(known: Mapping[str, str], tags: Iterable[wire.Tag] | None) -> dict[str, str]:
    """The tags with others laid over.

    Raises:
        errors.TagsLimitExceeded: there are more than fifty.
    """
    laid = {**known, **{tag.key or "": tag.value or "" for tag in tags or ()}}
    if len(laid) > _MOST:
        raise errors.TagsLimitExceeded(f"A trail can have {_MOST} tags.")
    return laid


@operation("AddTags", targets=on_trail("AddTags", "resource_id"), changes=True)
def add_tags(call: Call, request: wire.AddTagsRequest, _trail: Target) -> wire.AddTagsResponse:
    """Add tags, and replace the values of those that are there."""
    trail = existing(call, request.resource_id)
    call.tx.put(
        TRAILS, trail.place, msgspec.structs.replace(trail, tags=new_tags(trail.tags, request.tags_list))
    )
    return wire.AddTagsResponse()


@operation("RemoveTags", targets=on_trail("RemoveTags", "resource_id"), changes=True)
def remove_tags(call: Call, request: wire.RemoveTagsRequest, _trail: Target) -> wire.RemoveTagsResponse:
    """Remove tags; those that are not there are no error."""
    trail = existing(call, request.resource_id)
    gone = {tag.key for tag in request.tags_list or ()}
    left = {key: value for key, value in trail.tags.items() if key not in gone}
    call.tx.put(TRAILS, trail.place, msgspec.structs.replace(trail, tags=left))
    return wire.RemoveTagsResponse()


@operation("ListTags", targets=on_trails("ListTags", "resource_id_list"))
def list_tags(call: Call, request: wire.ListTagsRequest, *_trails: Target) -> wire.ListTagsResponse:
    """Return the tags of each of the trails."""
    trails = [existing(call, named) for named in request.resource_id_list or ()]
    return wire.ListTagsResponse(
        resource_tag_list=[
            wire.ResourceTag(
                resource_id=trail.arn,
                tags_list=[wire.Tag(key=key, value=value or None) for key, value in trail.tags.items()],
            )
            for trail in trails
        ]
    )


OPERATIONS = (add_tags, remove_tags, list_tags)
