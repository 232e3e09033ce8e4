"""The root of the hierarchy, and the errors that every AWS service has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class KeysteadError(Exception):
    """Root of the hierarchy."""


class ApiError(KeysteadError):
    """An error in AWS's own form.

    `code` is the error's name in the services' models. What it is called on the wire, and its HTTP status
    there, says the model of the service that answers (`LimitExceededException` is `LimitExceeded`, 409, at
    IAM); `status` is the status where no model says another.

    `message` None means that the answer carries no message at all, which AWS does for a few
    errors (a failed signature check, for one). `reason` is for clients, where AWS's error has one; `about`
    holds what else it has, by name (`resourceId`).
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    reason: str | None = None
    about: Mapping[str, str] = _NOTHING

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


class UnreadableAddress(Serialization):
    """Its path or its query cannot be read."""


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
