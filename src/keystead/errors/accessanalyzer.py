"""The errors of AWS IAM Access Analyzer, by the names of its model."""

from __future__ import annotations

from keystead.errors.base import ApiError


class UnprocessableEntity(ApiError):
    """The policies are too complex to analyze: there is no answer."""

    code = "UnprocessableEntityException"
    status = 422


class AboutResourceError(ApiError):
    """An error that names the resource that it is about, and the kind of that."""

    def __init__(self, message: str, resource: str, kind: str) -> None:
        super().__init__(message)
        self.about = {"resourceId": resource, "resourceType": kind}


class AnalyzerConflict(AboutResourceError):
    """There is one of that name already, or it is not in a state for this."""

    code = "ConflictException"
    status = 409


class AnalyzerResourceNotFound(AboutResourceError):
    """There is no such analyzer, archive rule, finding, preview or analyzed resource."""

    code = "ResourceNotFoundException"
    status = 404


class AnalyzerQuotaExceeded(AboutResourceError):
    """The account has as many of these as it may."""

    code = "ServiceQuotaExceededException"
    status = 402
