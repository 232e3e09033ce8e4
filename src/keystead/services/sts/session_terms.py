"""What a caller may ask of a session: its session policies, its tags, and how long it lasts.

Sources: AWS STS API Reference, AssumeRole and GetFederationToken; IAM User Guide, "Pass session tags in AWS
STS" and "IAM and AWS STS quotas".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call
from keystead.api.directory import AWS, document_of
from keystead.arn import parse
from keystead.policy import parse as parse_policy

LONGEST_POLICIES: Final = 2048
"""Characters of the inline session policy and the ARNs of managed ones together."""
MOST_POLICY_ARNS: Final = 10
MOST_TAGS: Final = 50
PACKED_LIMIT: Final = 4096
"""Bytes that the session policies and tags may take when packed; AWS does not say what its limit is."""
_RESERVED: Final = "aws:"
_PERCENT: Final = 100
_NONE: Final[Mapping[str, str]] = MappingProxyType({})

_encode = msgspec.msgpack.Encoder().encode


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for and may be had. `tags` and `transitive` hold inherited ones too.

    `packed` is how much of the space for policies and tags is used, in percent; None if there are none.
    """

    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    packed: int | None = None


class Tags(msgspec.Struct, frozen=True):
    """A session's tags, and which of them it hands on along a chain of roles."""

    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()


def terms_of(call: Call, request: Any, account: str, tags: Tags) -> Terms:
    """The terms that `request` asks for, for a session in `account` that has these tags.

    Raises:
        errors.MalformedPolicyDocument: the session policy is none, or a managed one does not exist.
        errors.PackedPolicyTooLarge: policies and tags do not fit.
        errors.Validation: a policy ARN that cannot be.
    """
    policies = session_policies(request.policy)
    arns = managed_policies(call, request.policy_arns, account)
    if sum(map(len, (*policies, *arns))) > LONGEST_POLICIES:
        raise errors.PackedPolicyTooLarge(
            f"The session policies exceed the allowed {LONGEST_POLICIES} characters."
        )
    terms = Terms(policies=policies, policy_arns=arns, tags=tags.tags, transitive=tags.transitive)
    return msgspec.structs.replace(terms, packed=_packed(terms))


def session_policies(text: str | None) -> tuple[str, ...]:
    """The inline session policy of a request, if it has one.

    Raises:
        errors.MalformedPolicyDocument: it is none; the message names the fault.
    """
    if text is None:
        return ()
    parse_policy(text)
    return (text,)


def managed_policies(call: Call, descriptors: Iterable[Any] | None, account: str) -> tuple[str, ...]:
    """The ARNs of the managed session policies of a request.

    Raises:
        errors.Validation: one is in another account than the session, or there are more than 10.
        errors.MalformedPolicyDocument: one does not exist.
    """
    arns = tuple(descriptor.arn or "" for descriptor in descriptors or ())
    if len(arns) > MOST_POLICY_ARNS:
        raise errors.Validation(f"The number of policyArns must be at most {MOST_POLICY_ARNS}.")
    for name in arns:
        if _account_of(name) not in {account, AWS}:
            raise errors.Validation(f"The policy {name} is not in the account of the session.")
        if document_of(call.tx, name) is None:
            raise errors.MalformedPolicyDocument(f"Policy {name} does not exist or is not attachable.")
    return arns


def _account_of(name: str) -> str:
    try:
        return parse(name).account
    except ValueError:
        return ""


# ------------------------------------------------------------------------------------- tags


def session_tags(tags: Mapping[str, str], asked: Iterable[str], inherited: Mapping[str, str] = _NONE) -> Tags:
    """A session's tags: those that are passed, with `asked` of them transitive, and those that it inherits.

    Texts of refusals are those that AWS was seen to answer.

    Raises:
        errors.InvalidParameterValue: a key that is inherited already, or that is to be transitive and is no tag.
    """
    folded = {key.lower() for key in tags}
    if folded & {key.lower() for key in inherited}:
        raise errors.InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag "
            "key from the calling session."
        )
    wanted = {key.lower() for key in asked}
    if not wanted <= folded:
        raise errors.InvalidParameterValue(
            "The specified transitive tag key must be included in the requested tags."
        )
    handed_on = (key for key in tags if key.lower() in wanted)
    return Tags({**inherited, **tags}, (*inherited, *handed_on))


def asked_tags(request: Any) -> dict[str, str]:
    """The tags of a request by key.

    Raises:
        errors.InvalidParameterValue: a key comes twice; case does not count.
        errors.Validation: a key begins with `aws:`, or there are more than 50.
    """
    return checked_tags([(tag.key or "", tag.value or "") for tag in request.tags or ()])


def checked_tags(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The tags by key; raises as `asked_tags` does."""
    if len({key.lower() for key, _ in given}) < len(given):
        raise errors.InvalidParameterValue(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if any(key.lower().startswith(_RESERVED) for key, _ in given):
        raise errors.Validation("Tag keys that start with aws: are reserved.")
    if len(given) > MOST_TAGS:
        raise errors.Validation(f"A session has at most {MOST_TAGS} tags.")
    return dict(given)


def inherited_tags(call: Call) -> dict[str, str]:
    """The tags that the caller's session hands on to those it assumes."""
    session = call.caller.session
    if session is None:
        return {}
    return {key: session.tags[key] for key in session.transitive if key in session.tags}


# ------------------------------------------------------------------------------------- size


def _packed(terms: Terms) -> int | None:
    """How many percent of the space the terms take, rounded up; None if there are none.

    Raises:
        errors.PackedPolicyTooLarge: more than there is.
    """
    if not (terms.policies or terms.policy_arns or terms.tags):
        return None
    size = len(zlib.compress(_encode((terms.policies, terms.policy_arns, terms.tags))))
    percent = -(-_PERCENT * size // PACKED_LIMIT)
    if percent <= _PERCENT:
        return percent
    if terms.policies or terms.policy_arns:
        raise errors.PackedPolicyTooLarge(
            f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        )
    raise errors.PackedPolicyTooLarge(f"Packed size of session tags consumes {percent}% of allotted space.")
