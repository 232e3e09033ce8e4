"""CheckNoNewAccess, CheckAccessNotGranted and CheckNoPublicAccess.

The documents in the request are all that is looked at. A reason's description begins with AWS's words and goes on with
a request that shows it, which the enforcing evaluator has confirmed. Source: IAM Access Analyzer API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from keystead import errors
from keystead.analysis import Access, Universe, access_granted, new_access, public_access
from keystead.analysis.report import sentence
from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import parse
from keystead.policy.request import AuthorizationRequest, PrincipalType
from keystead.services.accessanalyzer.access import on_any
from keystead.wire.models import accessanalyzer as wire

_T = TypeVar("_T")
_KEY: Final = "AWS::KMS::Key"
_RESOURCE_POLICY: Final = "RESOURCE_POLICY"
_WITH_IDENTITY_POLICIES: Final[tuple[PrincipalType, ...]] = ("user", "assumedRole", "federatedUser")
_NOT_READABLE: Final = "cannotParse"


class _Found(Protocol):
    """A statement that answers a question, with a request that shows it."""

    @property
    def statement(self) -> int: ...
    @property
    def sid(self) -> str | None: ...
    @property
    def witness(self) -> AuthorizationRequest: ...


@operation("CheckNoNewAccess", targets=on_any("CheckNoNewAccess"), slow=always)
def check_no_new_access(
    _call: Call, request: wire.CheckNoNewAccessRequest, _any: Target
) -> wire.CheckNoNewAccessResponse:
    """Whether a policy lets nothing in that another does not."""
    old = _policy("existingPolicyDocument", request.existing_policy_document)
    new = _policy("newPolicyDocument", request.new_policy_document)
    naming = request.policy_type == _RESOURCE_POLICY
    found = _decided(lambda: new_access(old, new, _universe(naming=naming), naming=naming))
    told = "grant" if found else "do not grant"
    return wire.CheckNoNewAccessResponse(
        result="FAIL" if found else "PASS",
        message=f"The modified permissions {told} new access compared to your existing policy.",
        reasons=_reasons("New access in the statement with {}.", found),
    )


@operation("CheckAccessNotGranted", targets=on_any("CheckAccessNotGranted"), slow=always)
def check_access_not_granted(
    _call: Call, request: wire.CheckAccessNotGrantedRequest, _any: Target
) -> wire.CheckAccessNotGrantedResponse:
    """Whether a policy grants none of some access."""
    policy = _policy("policyDocument", request.policy_document)
    naming = request.policy_type == _RESOURCE_POLICY
    access = [_access(one) for one in request.access or ()]
    found = _decided(lambda: access_granted(policy, access, _universe(naming=naming), naming=naming))
    told = "grants access to perform one or more" if found else "does not grant access to perform any"
    return wire.CheckAccessNotGrantedResponse(
        result="FAIL" if found else "PASS",
        message=f"The policy document {told} of the listed actions or resources.",
        reasons=_reasons("One or more of the listed actions or resources in the statement with {}.", found),
    )


@operation("CheckNoPublicAccess", targets=on_any("CheckNoPublicAccess"), slow=always)
def check_no_public_access(
    _call: Call, request: wire.CheckNoPublicAccessRequest, _any: Target
) -> wire.CheckNoPublicAccessResponse:
    """Whether a resource policy does not let the public in."""
    policy = _policy("policyDocument", request.policy_document)
    universe = Universe(kms_only=request.resource_type == _KEY)
    found = _decided(lambda: public_access(policy, universe))
    told = "grants" if found else "does not grant"
    return wire.CheckNoPublicAccessResponse(
        result="FAIL" if found else "PASS",
        message=f"The resource policy {told} public access for the given resource type.",
        reasons=_reasons("Public access granted in the following statement with {}.", found),
    )


OPERATIONS = (check_no_new_access, check_access_not_granted, check_no_public_access)


def _universe(*, naming: bool) -> Universe:
    return Universe() if naming else Universe(types=_WITH_IDENTITY_POLICIES)


def _policy(name: str, text: str | None) -> CompiledPolicy:
    """The policy in a member of the request.

    Raises:
        errors.Validation: it is not one.
    """
    try:
        document = parse(text or "")
    except errors.MalformedPolicyDocument as error:
        raise errors.Validation(f"{name}: {error.message}", reason=_NOT_READABLE) from None
    unreadable = [index for index, one in enumerate(document.statements) if not one.readable]
    if unreadable:
        raise errors.Validation(
            f"{name}: an element of statement {unreadable[0]} has a value of a type that it cannot have.",
            reason=_NOT_READABLE,
        )
    return compile_policy(document)


def _access(asked: wire.Access) -> Access:
    """Actions and resources to look for.

    Raises:
        errors.Validation: neither is given, or an action is none.
    """
    actions, resources = tuple(asked.actions or ()), tuple(asked.resources or ())
    if not actions and not resources:
        raise errors.Validation("An access must list actions or resources.")
    wrong = [action for action in actions if action != "*" and not all(action.partition(":"))]
    if wrong:
        raise errors.Validation(f"{wrong[0]} is not an action.")
    return Access(actions, resources)


def _decided(question: Callable[[], _T]) -> _T:
    """What the question answers.

    Raises:
        errors.UnprocessableEntity: it is neither proven nor refuted.
    """
    try:
        return question()
    except errors.Undecided as error:
        raise errors.UnprocessableEntity(str(error)) from None


def _reasons(words: str, found: Iterable[_Found]) -> list[wire.ReasonSummary]:
    return [
        wire.ReasonSummary(
            description=f"{words.format(_named(one))} For example, {sentence(one.witness)}.",
            statement_index=one.statement,
            statement_id=one.sid,
        )
        for one in found
    ]


def _named(found: _Found) -> str:
    return f"index: {found.statement}" if found.sid is None else f"sid: {found.sid}"
