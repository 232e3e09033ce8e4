"""The errors of AWS IAM, STS and Organizations, by the names of their models.

KMS lists LimitExceeded and MalformedPolicyDocument too.
"""

from __future__ import annotations

from keystead.errors.base import ApiError


class CredentialReportExpired(ApiError):
    code = "CredentialReportExpiredException"


class CredentialReportNotPresent(ApiError):
    code = "CredentialReportNotPresentException"


class CredentialReportNotReady(ApiError):
    code = "CredentialReportNotReadyException"


class DeleteConflict(ApiError):
    code = "DeleteConflictException"


class EntityAlreadyExists(ApiError):
    code = "EntityAlreadyExistsException"


class EntityTemporarilyUnmodifiable(ApiError):
    code = "EntityTemporarilyUnmodifiableException"


class InvalidAuthenticationCode(ApiError):
    code = "InvalidAuthenticationCodeException"


class InvalidInput(ApiError):
    code = "InvalidInputException"


class InvalidUserType(ApiError):
    code = "InvalidUserTypeException"


class NoSuchEntity(ApiError):
    code = "NoSuchEntityException"


class OpenIdIdpCommunicationError(ApiError):
    code = "OpenIdIdpCommunicationErrorException"


class PolicyEvaluation(ApiError):
    code = "PolicyEvaluationException"


class PolicyNotAttachable(ApiError):
    code = "PolicyNotAttachableException"


class ServiceFailure(ApiError):
    code = "ServiceFailureException"


class ServiceNotSupported(ApiError):
    code = "ServiceNotSupportedException"


class UnmodifiableEntity(ApiError):
    code = "UnmodifiableEntityException"


# STS


class IdpCommunicationError(ApiError):
    code = "IDPCommunicationErrorException"


class IdpRejectedClaim(ApiError):
    code = "IDPRejectedClaimException"


class IdentityTokenExpired(ApiError):
    """The web identity token that was given has ended; ExpiredToken is about the caller's own credentials."""

    code = "ExpiredTokenException"


class InvalidAuthorizationMessage(ApiError):
    code = "InvalidAuthorizationMessageException"


class InvalidIdentityToken(ApiError):
    code = "InvalidIdentityTokenException"


class InvalidParameterValue(ApiError):
    """A common error of the Query protocol, which no model lists."""

    code = "InvalidParameterValue"


class PackedPolicyTooLarge(ApiError):
    code = "PackedPolicyTooLargeException"


class RegionDisabled(ApiError):
    code = "RegionDisabledException"


# Organizations


class AccountAlreadyClosed(ApiError):
    code = "AccountAlreadyClosedException"


class AccountNotFound(ApiError):
    code = "AccountNotFoundException"


class AlreadyInOrganization(ApiError):
    code = "AlreadyInOrganizationException"


class ChildNotFound(ApiError):
    code = "ChildNotFoundException"


class ConcurrentModification(ApiError):
    code = "ConcurrentModificationException"


class ConstraintViolation(ApiError):
    code = "ConstraintViolationException"


class CreateAccountStatusNotFound(ApiError):
    code = "CreateAccountStatusNotFoundException"


class DestinationParentNotFound(ApiError):
    code = "DestinationParentNotFoundException"


class DuplicateAccount(ApiError):
    code = "DuplicateAccountException"


class DuplicateHandshake(ApiError):
    code = "DuplicateHandshakeException"


class DuplicateOrganizationalUnit(ApiError):
    code = "DuplicateOrganizationalUnitException"


class DuplicatePolicy(ApiError):
    code = "DuplicatePolicyException"


class DuplicatePolicyAttachment(ApiError):
    code = "DuplicatePolicyAttachmentException"


class HandshakeAlreadyInState(ApiError):
    code = "HandshakeAlreadyInStateException"


class HandshakeConstraintViolation(ApiError):
    code = "HandshakeConstraintViolationException"


class HandshakeNotFound(ApiError):
    code = "HandshakeNotFoundException"


class InvalidHandshakeTransition(ApiError):
    code = "InvalidHandshakeTransitionException"


class MasterCannotLeaveOrganization(ApiError):
    code = "MasterCannotLeaveOrganizationException"


class OrganizationNotEmpty(ApiError):
    code = "OrganizationNotEmptyException"


class OrganizationalUnitNotEmpty(ApiError):
    code = "OrganizationalUnitNotEmptyException"


class OrganizationalUnitNotFound(ApiError):
    code = "OrganizationalUnitNotFoundException"


class OrganizationsInvalidInput(ApiError):
    """Organizations tells a reason besides, IAM does not."""

    code = "InvalidInputException"


class OrganizationsNotInUse(ApiError):
    code = "AWSOrganizationsNotInUseException"


class ParentNotFound(ApiError):
    code = "ParentNotFoundException"


class PolicyInUse(ApiError):
    code = "PolicyInUseException"


class PolicyNotAttached(ApiError):
    code = "PolicyNotAttachedException"


class PolicyNotFound(ApiError):
    code = "PolicyNotFoundException"


class PolicyTypeAlreadyEnabled(ApiError):
    code = "PolicyTypeAlreadyEnabledException"


class PolicyTypeNotAvailable(ApiError):
    code = "PolicyTypeNotAvailableForOrganizationException"


class PolicyTypeNotEnabled(ApiError):
    code = "PolicyTypeNotEnabledException"


class RootNotFound(ApiError):
    code = "RootNotFoundException"


class SourceParentNotFound(ApiError):
    code = "SourceParentNotFoundException"


class TargetNotFound(ApiError):
    code = "TargetNotFoundException"
