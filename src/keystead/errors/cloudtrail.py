"""The errors of AWS CloudTrail, by the names of its model."""

from __future__ import annotations

from keystead.errors.base import ApiError


class CloudTrailArnInvalid(ApiError):
    code = "CloudTrailARNInvalidException"


class InvalidEventSelectors(ApiError):
    code = "InvalidEventSelectorsException"


class InvalidHomeRegion(ApiError):
    code = "InvalidHomeRegionException"


class InvalidLookupAttributes(ApiError):
    code = "InvalidLookupAttributesException"


class InvalidNextToken(ApiError):
    code = "InvalidNextTokenException"


class InvalidParameterCombination(ApiError):
    code = "InvalidParameterCombinationException"


class InvalidS3BucketName(ApiError):
    code = "InvalidS3BucketNameException"


class InvalidS3Prefix(ApiError):
    code = "InvalidS3PrefixException"


class InvalidTimeRange(ApiError):
    code = "InvalidTimeRangeException"


class InvalidTrailName(ApiError):
    code = "InvalidTrailNameException"


class MaximumNumberOfTrailsExceeded(ApiError):
    code = "MaximumNumberOfTrailsExceededException"


class S3BucketDoesNotExist(ApiError):
    code = "S3BucketDoesNotExistException"


class TagsLimitExceeded(ApiError):
    code = "TagsLimitExceededException"


class TrailAlreadyExists(ApiError):
    code = "TrailAlreadyExistsException"


class TrailNotFound(ApiError):
    code = "TrailNotFoundException"
