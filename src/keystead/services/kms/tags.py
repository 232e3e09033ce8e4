"""TagResource, UntagResource, ListResourceTags."""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.keys.state import check_state
from keystead.keys.tags import RESERVED, check_new_tags, merge_tags
from keystead.services.kms.facts import FactMap, tag_facts, tag_pairs
from keystead.services.kms.paging import page_list
from keystead.services.kms.tables import KEYS, key_place
from keystead.services.kms.targets import on_key
from keystead.wire.models import kms as wire

_LONGEST_PAGE = 50


def _tag_facts(_call: Call, request: wire.TagResourceRequest) -> FactMap:
    return tag_facts(tag_pairs(request.tags))


def _untag_facts(_call: Call, request: wire.UntagResourceRequest) -> FactMap:
    return {"aws:TagKeys": list(request.tag_keys)} if request.tag_keys else {}


def _put(call: Call, target: Target, tags: dict[str, str]) -> None:
    key = target.found
    call.tx.put(KEYS, key_place(key), msgspec.structs.replace(key, tags=tags))


@operation("TagResource", targets=on_key("TagResource", facts=_tag_facts), changes=True)
def tag_resource(call: Call, request: wire.TagResourceRequest, target: Target) -> None:
    """Add tags to a key, and replace the values of those it has."""
    key = target.found
    check_state("TagResource", key.state, key.arn)
    _put(call, target, merge_tags(key.tags, check_new_tags(tag_pairs(request.tags))))


@operation("UntagResource", targets=on_key("UntagResource", facts=_untag_facts), changes=True)
def untag_resource(call: Call, request: wire.UntagResourceRequest, target: Target) -> None:
    """Remove tags from a key; those that it does not have are no error."""
    key = target.found
    check_state("UntagResource", key.state, key.arn)
    gone = set(request.tag_keys or ())
    if any(name.lower().startswith(RESERVED) for name in gone):
        raise errors.TagError("Tags beginning with aws: are reserved")
    _put(call, target, {name: value for name, value in key.tags.items() if name not in gone})


@operation("ListResourceTags", targets=on_key("ListResourceTags"))
def list_resource_tags(
    call: Call, request: wire.ListResourceTagsRequest, target: Target
) -> wire.ListResourceTagsResponse:
    """Return a page of the key's tags."""
    tags = [wire.Tag(tag_key=key, tag_value=value) for key, value in target.found.tags.items()]
    limit = min(request.limit or _LONGEST_PAGE, _LONGEST_PAGE)
    shown, marker = page_list(call, tags, limit, request.marker, target.resource)
    return wire.ListResourceTagsResponse(tags=shown, next_marker=marker, truncated=marker is not None)


OPERATIONS = (tag_resource, untag_resource, list_resource_tags)
