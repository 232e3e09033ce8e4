"""The errors of AWS IAM Access Analyzer, by the names of its model."""

from __future__ import annotations

from keystead.errors.base import ApiError


class UnprocessableEntity(ApiError):
    """The policies are too complex to analyze: there is no answer."""

    code = "UnprocessableEntityException"
    status = 422
