"""TagResource, UntagResource, ListTagsForResource: the tags of analyzers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.accessanalyzer.access import FactMap, existing, on_analyzer, tag_facts
from keystead.services.accessanalyzer.tables import ANALYZERS
from keystead.wire.models import accessanalyzer as wire

_MOST: Final = 50
_LONGEST_KEY: Final = 128
_LONGEST_VALUE: Final = 256


def checked_tags(known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The tags with others laid over.

    Raises:
        errors.Validation: a tag cannot be, or there are more than fifty.
    """
    for key, value in given.items():
        if not 1 <= len(key) <= _LONGEST_KEY or key.lower().startswith("aws:"):
            raise errors.Validation("A tag's key has 1 to 128 characters and does not begin with aws:.")
        if len(value) > _LONGEST_VALUE:
            raise errors.Validation("A tag's value has at most 256 characters.")
    laid = {**known, **given}
    if len(laid) > _MOST:
        raise errors.Validation(f"An analyzer can have {_MOST} tags.")
    return laid


def _key_facts(request: wire.UntagResourceRequest) -> FactMap:
    return {"aws:TagKeys": [*(request.tag_keys or ())]}


@operation(
    "TagResource",
    targets=on_analyzer("TagResource", "resource_arn", lambda request: tag_facts(request.tags)),
    changes=True,
)
def tag_resource(call: Call, request: wire.TagResourceRequest, _analyzer: Target) -> wire.TagResourceResponse:
    """Add tags, and replace the values of those that are there."""
    found = existing(call, request.resource_arn)
    tags = checked_tags(found.tags, request.tags or {})
    call.tx.put(ANALYZERS, found.place, msgspec.structs.replace(found, tags=tags))
    return wire.TagResourceResponse()


@operation("UntagResource", targets=on_analyzer("UntagResource", "resource_arn", _key_facts), changes=True)
def untag_resource(
    call: Call, request: wire.UntagResourceRequest, _analyzer: Target
) -> wire.UntagResourceResponse:
    """Remove tags; those that are not there are no error."""
    found = existing(call, request.resource_arn)
    left = {key: value for key, value in found.tags.items() if key not in (request.tag_keys or ())}
    call.tx.put(ANALYZERS, found.place, msgspec.structs.replace(found, tags=left))
    return wire.UntagResourceResponse()


@operation("ListTagsForResource", targets=on_analyzer("ListTagsForResource", "resource_arn"))
def list_tags_for_resource(
    call: Call, request: wire.ListTagsForResourceRequest, _analyzer: Target
) -> wire.ListTagsForResourceResponse:
    """Return the tags."""
    return wire.ListTagsForResourceResponse(tags=existing(call, request.resource_arn).tags)


OPERATIONS = (tag_resource, untag_resource, list_tags_for_resource)
