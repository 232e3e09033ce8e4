"""Every error that Keystead raises on purpose, in one hierarchy.

    KeysteadError
    ├── ApiError                     what a caller of an AWS API is told (code, message, HTTP status)
    │   ├── NotFound, Disabled, …    one class for each AWS error code
    ├── CryptoError                  a primitive refused its input; services translate it
    └── OperatorError                what the person who runs Keystead is told
        └── StorageError, SealError, JournalError, LogError

An exception outside this hierarchy is a defect: the pipeline answers it as an opaque
internal failure and writes the detail to the log.
"""

from __future__ import annotations

from traceback import extract_tb
from typing import ClassVar


class KeysteadError(Exception):
    """Root of the hierarchy."""


# --------------------------------------------------------------------------- API errors


class ApiError(KeysteadError):
    """An error in AWS's own form.

    `code` is the error's name in the services' models. What it is called on the wire, and its HTTP status
    there, says the model of the service that answers (`LimitExceededException` is `LimitExceeded`, 409, at
    IAM); `status` is the status where no model says another.

    `message` None means that the answer carries no message at all, which AWS does for a few
    errors (a failed signature check, for one). `reason` is for clients, where AWS's error has one.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    reason: str | None = None

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class InternalFailure(ApiError):
    code = "InternalFailure"
    status = 500


class KmsInternal(ApiError):
    """The server cannot answer now (evidence or storage unavailable); a retry may succeed."""

    code = "KMSInternalException"
    status = 500


class AccessDenied(ApiError):
    """`refused` is what the decision was made of, for who may ask why; no answer shows it."""

    code = "AccessDeniedException"

    def __init__(self, message: str | None = None, refused: object = None) -> None:
        super().__init__(message)
        self.refused = refused


class Validation(ApiError):
    code = "ValidationException"


class Serialization(ApiError):
    code = "SerializationException"


class UnknownOperation(ApiError):
    code = "UnknownOperationException"


class MissingAction(ApiError):
    code = "MissingAction"


class MissingAuthenticationToken(ApiError):
    code = "MissingAuthenticationTokenException"


class IncompleteSignature(ApiError):
    code = "IncompleteSignatureException"


class InvalidSignature(ApiError):
    """Also an expired or skewed date: AWS KMS uses this one code for both."""

    code = "InvalidSignatureException"


class UnrecognizedClient(ApiError):
    code = "UnrecognizedClientException"


class ExpiredToken(ApiError):
    """The request's temporary credentials have ended."""

    code = "ExpiredTokenException"


class NotAuthorized(ApiError):
    code = "NotAuthorizedException"


class Throttling(ApiError):
    code = "ThrottlingException"


class RequestTooLarge(ApiError):
    code = "RequestEntityTooLargeException"
    status = 413


class RequestTimeout(ApiError):
    code = "RequestTimeoutException"
    status = 408


# KMS


class AlreadyExists(ApiError):
    code = "AlreadyExistsException"


class CloudHsmClusterInvalidConfiguration(ApiError):
    code = "CloudHsmClusterInvalidConfigurationException"


class CloudHsmClusterNotFound(ApiError):
    code = "CloudHsmClusterNotFoundException"


class ConflictError(ApiError):
    code = "ConflictException"


class CustomKeyStoreHasCmks(ApiError):
    code = "CustomKeyStoreHasCMKsException"


class CustomKeyStoreInvalidState(ApiError):
    code = "CustomKeyStoreInvalidStateException"


class CustomKeyStoreNameInUse(ApiError):
    code = "CustomKeyStoreNameInUseException"


class CustomKeyStoreNotFound(ApiError):
    code = "CustomKeyStoreNotFoundException"


class DependencyTimeout(ApiError):
    code = "DependencyTimeoutException"
    status = 503


class Disabled(ApiError):
    code = "DisabledException"


class DryRunSucceeded(ApiError):
    code = "DryRunOperationException"


class ExpiredImportToken(ApiError):
    code = "ExpiredImportTokenException"


class IncorrectKey(ApiError):
    code = "IncorrectKeyException"


class IncorrectKeyMaterial(ApiError):
    code = "IncorrectKeyMaterialException"


class InvalidAliasName(ApiError):
    code = "InvalidAliasNameException"


class InvalidArn(ApiError):
    code = "InvalidArnException"


class InvalidCiphertext(ApiError):
    code = "InvalidCiphertextException"


class InvalidGrantId(ApiError):
    code = "InvalidGrantIdException"


class InvalidGrantToken(ApiError):
    code = "InvalidGrantTokenException"


class InvalidImportToken(ApiError):
    code = "InvalidImportTokenException"


class InvalidKeyUsage(ApiError):
    code = "InvalidKeyUsageException"


class InvalidMarker(ApiError):
    code = "InvalidMarkerException"


class InvalidMac(ApiError):
    code = "KMSInvalidMacException"


class InvalidMessageSignature(ApiError):
    """Verify was given a signature that is not the message's."""

    code = "KMSInvalidSignatureException"


class InvalidState(ApiError):
    code = "KMSInvalidStateException"


class KeyUnavailable(ApiError):
    code = "KeyUnavailableException"
    status = 500


class LimitExceeded(ApiError):
    code = "LimitExceededException"


class MalformedPolicyDocument(ApiError):
    code = "MalformedPolicyDocumentException"


class NotFound(ApiError):
    code = "NotFoundException"


class TagError(ApiError):
    code = "TagException"


class UnsupportedOperation(ApiError):
    code = "UnsupportedOperationException"


class XksProxyInvalidConfiguration(ApiError):
    code = "XksProxyInvalidConfigurationException"


class XksProxyUriInUse(ApiError):
    code = "XksProxyUriInUseException"


class XksProxyUriEndpointInUse(ApiError):
    code = "XksProxyUriEndpointInUseException"


class XksProxyUriUnreachable(ApiError):
    code = "XksProxyUriUnreachableException"


class XksProxyVpcEndpointServiceInUse(ApiError):
    code = "XksProxyVpcEndpointServiceInUseException"


class XksKeyAlreadyInUse(ApiError):
    code = "XksKeyAlreadyInUseException"


# IAM (KMS lists LimitExceeded and MalformedPolicyDocument too)


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


# ------------------------------------------------------------------------ crypto errors


class CryptoError(KeysteadError):
    """A primitive refused its input. Messages never hold key bytes or plaintext."""


class DecryptionFailed(CryptoError):
    """The ciphertext, its associated data or its key is not the right one (no more is said)."""


class VerificationFailed(CryptoError):
    """The signature or MAC is not the message's."""


class BadDigestLength(CryptoError):
    """A digest was given whose length is not the algorithm's."""


class PlaintextTooLong(CryptoError):
    """The plaintext does not fit; `limit` is the most bytes that do."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} bytes fit")
        self.limit = limit


class BadKeyMaterial(CryptoError):
    """Key material is not what its key spec requires (length, curve, modulus, encoding)."""


class BadPublicKey(CryptoError):
    """A peer's public key cannot be parsed, or lies on another curve."""


class BadAttestation(CryptoError):
    """An attestation document is not one that a pinned root vouches for; the message is the reason."""


# ---------------------------------------------------------------------- operator errors


class OperatorError(KeysteadError):
    """One clear line for the person who runs Keystead."""


class SettingsError(OperatorError):
    """A setting has a bad value; the message names the setting."""


class SealError(OperatorError):
    """The root key cannot be unwrapped (wrong passphrase, damaged or missing seal file)."""


class StorageError(OperatorError):
    """The store cannot be read or written."""


class StorageUnavailable(StorageError):
    """A write or read failed (disk full, I/O error); whether a write persisted is unknown."""


class StorageConflict(StorageError):
    """A condition of a batch no longer holds; nothing of the batch was written."""


class StorageTampered(StorageError):
    """A record is not the one that Keystead last wrote at its place."""


class JournalError(OperatorError):
    """Evidence cannot be written or read."""


class LogError(OperatorError):
    """Something of a Merkle log is malformed, or does not prove what it must; the message quotes nothing of it."""


class IndexUnavailable(OperatorError):
    """The index of the events cannot be used now."""


# ------------------------------------------------------------------------------- defects


def places(error: BaseException) -> list[str]:
    """The places that a failure came through, outermost first, without its words: those may quote a request."""
    return [
        f"{frame.filename.rpartition('keystead/')[2]}:{frame.lineno} {frame.name}"
        for frame in extract_tb(error.__traceback__)
    ]
