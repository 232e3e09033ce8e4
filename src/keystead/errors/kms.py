"""The errors of AWS KMS, by the names of its model."""

from __future__ import annotations

from keystead.errors.base import ApiError


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
