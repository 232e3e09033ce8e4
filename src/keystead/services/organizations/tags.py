"""TagResource, UntagResource, ListTagsForResource: of the root, units, accounts and policies."""

from __future__ import annotations

import msgspec

from keystead.api import Call, Target, operation
from keystead.api.directory import ORG_POLICIES
from keystead.identity import Organization, OrgPolicy
from keystead.identity.organization import AWS_POLICIES
from keystead.services.organizations.access import managed
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import invalid, no_target
from keystead.services.organizations.tag_rules import check_key, laid_over, new_tags
from keystead.services.organizations.targets import on_tagged, request_tags, tag_keys
from keystead.services.organizations.tree import Node, node_at, policy_with, replace_node
from keystead.wire.models import organizations as wire

_Tagged = Node | OrgPolicy


def _resource(call: Call, organization: Organization, resource: str | None) -> _Tagged:
    named = resource or ""
    find = policy_with if named.startswith("p-") else node_at
    found = find(call.tx, organization, named)
    if found is None:
        raise no_target()
    return found


def _put(call: Call, organization: Organization, resource: _Tagged, tags: dict[str, str]) -> None:
    if isinstance(resource, Node):
        replace_node(call.tx, organization, resource, tags=tags)
        return
    if resource.id in AWS_POLICIES:
        raise invalid("IMMUTABLE_POLICY")
    place = f"{organization.id}/{resource.id}"
    call.tx.put(ORG_POLICIES, place, msgspec.structs.replace(resource, tags=tags))


@operation("TagResource", targets=on_tagged("TagResource", request_tags), changes=True)
def tag_resource(call: Call, request: wire.TagResourceRequest, _resource_target: Target) -> None:
    """Add tags, and replace the values of those that are there."""
    organization = managed(call)
    resource = _resource(call, organization, request.resource_id)
    _put(call, organization, resource, laid_over(resource.tags, new_tags(request.tags)))


@operation("UntagResource", targets=on_tagged("UntagResource", tag_keys), changes=True)
def untag_resource(call: Call, request: wire.UntagResourceRequest, _resource_target: Target) -> None:
    """Remove tags; those that are not there are no error."""
    organization = managed(call)
    resource = _resource(call, organization, request.resource_id)
    gone = set(request.tag_keys or ())
    for key in gone:
        check_key(key)
    _put(
        call, organization, resource, {key: value for key, value in resource.tags.items() if key not in gone}
    )


@operation("ListTagsForResource", targets=on_tagged("ListTagsForResource"))
def list_tags_for_resource(
    call: Call, request: wire.ListTagsForResourceRequest, _resource_target: Target
) -> wire.ListTagsForResourceResponse:
    """Return a page of the tags of the root, a unit, an account or a policy."""
    resource = _resource(call, managed(call), request.resource_id)
    tags = [wire.Tag(key=key, value=value) for key, value in resource.tags.items()]
    shown, token = page(call, request, tags, "key")
    return wire.ListTagsForResourceResponse(tags=shown, next_token=token)


OPERATIONS = (tag_resource, untag_resource, list_tags_for_resource)
