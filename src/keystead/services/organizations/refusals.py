"""What AWS Organizations refuses, in its words; several refusals carry a reason besides."""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.wire.model import Shape
from keystead.wire.validate import Kind, violations


def constraint(reason: str) -> errors.ConstraintViolation:
    """A refusal because of a quota, or of what a thing must keep."""
    return errors.ConstraintViolation(_CONSTRAINTS[reason], reason=reason)


def invalid(reason: str) -> errors.OrganizationsInvalidInput:
    """A refusal because of a value of the request."""
    return errors.OrganizationsInvalidInput(_INPUTS[reason], reason=reason)


def check_input(request: Shape) -> None:
    """Return if the request keeps its model's constraints; the first that it breaks is told, and not where.

    Raises:
        errors.OrganizationsInvalidInput: it does not. Other services answer ValidationException.
    """
    broken = violations(request)
    if broken:
        raise invalid(_BROKEN[broken[0].kind])


def handshake_constraint(reason: str) -> errors.HandshakeConstraintViolation:
    """A refusal because of what an invitation must keep."""
    return errors.HandshakeConstraintViolation(_HANDSHAKES[reason], reason=reason)


def not_in_use() -> errors.OrganizationsNotInUse:
    """The refusal for an account that stands alone."""
    return errors.OrganizationsNotInUse("Your account is not a member of an organization.")


def not_management() -> errors.AccessDenied:
    """The refusal for a member account where only the management account may call."""
    return errors.AccessDenied("You don't have permissions to access this resource.")


def no_target() -> errors.TargetNotFound:
    """The refusal for a root, unit, account or policy that is not there."""
    return errors.TargetNotFound("You specified a target that doesn't exist.")


def no_account() -> errors.AccountNotFound:
    """The refusal for an account that is not in the organization."""
    return errors.AccountNotFound("You specified an account that doesn't exist.")


def no_unit() -> errors.OrganizationalUnitNotFound:
    """The refusal for a unit that is not there."""
    return errors.OrganizationalUnitNotFound("You specified an organizational unit that doesn't exist.")


def no_parent() -> errors.ParentNotFound:
    """The refusal for a root or unit that is not there, where one is to hold something."""
    return errors.ParentNotFound("You specified parent that doesn't exist.")


def no_policy() -> errors.PolicyNotFound:
    """The refusal for a policy that is not there."""
    return errors.PolicyNotFound("You specified a policy that doesn't exist.")


_CONSTRAINTS: Final = {
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "You have exceeded the allowed number of AWS accounts.",
    "OU_NUMBER_LIMIT_EXCEEDED": "You have exceeded the allowed number of organizational units.",
    "OU_DEPTH_LIMIT_EXCEEDED": "You have exceeded the maximum depth of organizational units.",
    "POLICY_NUMBER_LIMIT_EXCEEDED": "You have exceeded the allowed number of policies.",
    "POLICY_CONTENT_LIMIT_EXCEEDED": "You have exceeded the maximum policy content size.",
    "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED": (
        "You have attached the maximum number of policies to the specified target."
    ),
    "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED": (
        "You cannot remove the last policy attached to the specified target. You must have at least one "
        "attached at all times."
    ),
    "MAX_TAG_LIMIT_EXCEEDED": "You have exceeded the number of tags allowed on this resource.",
}

_BROKEN: Final[dict[Kind, str]] = {
    "required": "INPUT_REQUIRED",
    "enum": "INVALID_ENUM",
    "pattern": "INVALID_PATTERN",
    "longest": "MAX_LENGTH_EXCEEDED",
    "shortest": "MIN_LENGTH_EXCEEDED",
    "greatest": "MAX_VALUE_EXCEEDED",
    "least": "MIN_VALUE_EXCEEDED",
    "part": "INVALID_LIST_MEMBER",
}

_INPUTS: Final = {
    "INPUT_REQUIRED": "You must include a value for all required parameters.",
    "INVALID_ENUM": "You specified an invalid value.",
    "INVALID_LIST_MEMBER": "You provided a list to a parameter that contains at least one invalid value.",
    "INVALID_PATTERN": "You provided a value that does not match the required pattern.",
    "MAX_LENGTH_EXCEEDED": "You provided a string parameter that is longer than allowed.",
    "MIN_LENGTH_EXCEEDED": "You provided a string parameter that is shorter than allowed.",
    "MAX_VALUE_EXCEEDED": "You provided a numeric parameter that has a larger value than allowed.",
    "MIN_VALUE_EXCEEDED": "You provided a numeric parameter that has a smaller value than allowed.",
    "DUPLICATE_TAG_KEY": "Duplicate tag keys are not allowed.",
    "IMMUTABLE_POLICY": "You specified a policy that is managed by AWS and can't be modified.",
    "INVALID_NEXT_TOKEN": "You specified an invalid value for nextToken. You must get the value from the "
    "response to a previous call to the API.",
    "INVALID_PARTY_TYPE_TARGET": "You specified the wrong type of entity as the party.",
    "INVALID_EMAIL_ADDRESS_TARGET": "You specified an invalid email address for the invited account owner.",
    "INVALID_ROLE_NAME": "A role name can't begin with the reserved prefix AWSServiceRoleFor.",
    "INVALID_SYSTEM_TAGS_PARAMETER": "Tag keys that begin with aws: are reserved for AWS use.",
    "NON_DETACHABLE_POLICY": "You can't detach this AWS managed policy.",
    "TARGET_NOT_SUPPORTED": "You can't perform the specified operation on that target entity.",
}

_HANDSHAKES: Final = {
    "ACCOUNT_NUMBER_LIMIT_EXCEEDED": "You have exceeded the allowed number of AWS accounts.",
    "ALREADY_IN_AN_ORGANIZATION": "The invited account is already a member of an organization.",
    "TARGET_ACCOUNT_VALIDATION_FAILURE": "The invited account does not exist.",
}
