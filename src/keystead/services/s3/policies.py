"""PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus; and the ACLs that nobody can change."""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import bind
from keystead.policy import Document, named_principals, parse
from keystead.policy.publicness import is_public
from keystead.services.s3.access import bucket_named, object_key, on_bucket, on_object, owner_id
from keystead.services.s3.settings import change
from keystead.services.s3.tables import Bucket
from keystead.services.s3.versions import find
from keystead.wire.models import s3 as wire

_LONGEST: Final = 20 * 1024


def _checked(text: str, bucket: Bucket) -> Document:
    """The policy, if the bucket can have it.

    Raises:
        errors.MalformedBucketPolicy: it cannot.
    """
    if not text or len(text.encode()) > _LONGEST:
        raise errors.MalformedBucketPolicy("Policies must be valid JSON and at most 20 KB")
    try:
        document = parse(text)
    except errors.MalformedPolicyDocument as error:
        raise errors.MalformedBucketPolicy(error.message or "This policy contains invalid Json") from None
    for statement in document.statements:
        if not statement.readable:
            raise errors.MalformedBucketPolicy("Policy has an element of a wrong form")
        if statement.principal is None and statement.not_principal is None:
            raise errors.MalformedBucketPolicy("Missing required field Principal")
        resources = statement.resources or statement.not_resources
        if not resources:
            raise errors.MalformedBucketPolicy("Missing required field Resource")
        if not all(_is_within(resource, bucket) for resource in resources):
            raise errors.MalformedBucketPolicy("Policy has invalid resource")
        if any(
            not action.lower().startswith("s3:") for action in statement.actions or ("s3:",) if action != "*"
        ):
            raise errors.MalformedBucketPolicy("Policy has invalid action")
    return document


def _is_within(resource: str, bucket: Bucket) -> bool:
    return (
        resource == bucket.arn or resource.startswith(f"{bucket.arn}/") or resource in {"*", f"{bucket.arn}*"}
    )


@operation("PutBucketPolicy", targets=on_bucket("PutBucketPolicy"), changes=True)
def put_bucket_policy(call: Call, request: wire.PutBucketPolicyRequest, _bucket: Target) -> None:
    """Store the bucket's policy; it counts for the next request."""
    bucket, text = bucket_named(call, request.bucket), request.policy or ""
    _checked(text, bucket)
    bound, missing = bind(call.tx, named_principals(text))
    if missing:
        raise errors.MalformedBucketPolicy(
            "Invalid principal in policy", {"Detail": ", ".join(sorted(missing))}
        )
    block = bucket.public_access
    if block is not None and block.block_policy and is_public(text):
        raise errors.AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"{bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block '
            "Public Access."
        )
    if call.exchange is not None:
        call.exchange.status = 204
    change(call, bucket, policy=text, bound=tuple(sorted(bound.items())))


@operation("GetBucketPolicy", targets=on_bucket("GetBucketPolicy"))
def get_bucket_policy(
    call: Call, request: wire.GetBucketPolicyRequest, _bucket: Target
) -> wire.GetBucketPolicyOutput:
    """Return the policy as it was put."""
    bucket = bucket_named(call, request.bucket)
    if not bucket.policy:
        raise errors.NoSuchBucketPolicy(about={"BucketName": bucket.name})
    return wire.GetBucketPolicyOutput(policy=bucket.policy)


@operation("DeleteBucketPolicy", targets=on_bucket("DeleteBucketPolicy"), changes=True)
def delete_bucket_policy(call: Call, request: wire.DeleteBucketPolicyRequest, _bucket: Target) -> None:
    """Remove the policy."""
    change(call, bucket_named(call, request.bucket), policy="", bound=())


@operation("GetBucketPolicyStatus", targets=on_bucket("GetBucketPolicyStatus"))
def get_bucket_policy_status(
    call: Call, request: wire.GetBucketPolicyStatusRequest, _bucket: Target
) -> wire.GetBucketPolicyStatusOutput:
    """Return whether the policy is public."""
    bucket = bucket_named(call, request.bucket)
    if not bucket.policy:
        raise errors.NoSuchBucketPolicy(about={"BucketName": bucket.name})
    return wire.GetBucketPolicyStatusOutput(
        policy_status=wire.PolicyStatus(is_public=is_public(bucket.policy))
    )


# ------------------------------------------------------------------------------ ACLs


def _owners_alone(bucket: Bucket) -> dict[str, Any]:
    owner = owner_id(bucket.account)
    grant = wire.Grant(grantee=wire.Grantee(id=owner, type="CanonicalUser"), permission="FULL_CONTROL")
    return {"owner": wire.Owner(id=owner), "grants": [grant]}


@operation("GetBucketAcl", targets=on_bucket("GetBucketAcl"))
def get_bucket_acl(call: Call, request: wire.GetBucketAclRequest, _bucket: Target) -> wire.GetBucketAclOutput:
    """Return the one ACL there is: all to the owner."""
    return wire.GetBucketAclOutput(**_owners_alone(bucket_named(call, request.bucket)))


@operation("GetObjectAcl", targets=on_object("GetObjectAcl", versioned="GetObjectVersionAcl"))
def get_object_acl(call: Call, request: wire.GetObjectAclRequest, _object: Target) -> wire.GetObjectAclOutput:
    """Return the one ACL there is: all to the bucket's owner."""
    bucket = bucket_named(call, request.bucket)
    find(call, bucket, object_key(request.key), request.version_id)
    return wire.GetObjectAclOutput(**_owners_alone(bucket))


OPERATIONS = (
    put_bucket_policy,
    get_bucket_policy,
    delete_bucket_policy,
    get_bucket_policy_status,
    get_bucket_acl,
    get_object_acl,
)
