"""The errors of Amazon S3, by the codes of its API reference ("Error Responses").

Unlike other services, S3 puts what an error is about beside its message (`BucketName`, `Key`, `Region`, …): `about`
holds these elements by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keystead.errors.base import ApiError


class S3Error(ApiError):
    """An error of S3; without a message of its own it says what `said` says. `headers` go with its answer."""

    code = "InternalError"
    status = 400
    said = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, message: str | None = None, about: Mapping[str, str] | None = None) -> None:
        super().__init__(message or self.said)
        self.about = about or {}


# ------------------------------------------------------------------------------ what is not there


class NoSuchBucket(S3Error):
    code = "NoSuchBucket"
    status = 404
    said = "The specified bucket does not exist"


class NoSuchKey(S3Error):
    code = "NoSuchKey"
    status = 404
    said = "The specified key does not exist."


class NoSuchVersion(S3Error):
    code = "NoSuchVersion"
    status = 404
    said = "The specified version does not exist."


class NoSuchUpload(S3Error):
    code = "NoSuchUpload"
    status = 404
    said = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed."
    )


class NoSuchBucketPolicy(S3Error):
    code = "NoSuchBucketPolicy"
    status = 404
    said = "The bucket policy does not exist"


class NoSuchPublicAccessBlock(S3Error):
    code = "NoSuchPublicAccessBlockConfiguration"
    status = 404
    said = "The public access block configuration was not found"


class NoOwnershipControls(S3Error):
    code = "OwnershipControlsNotFoundError"
    status = 404
    said = "The bucket ownership controls were not found"


class NoSuchTagSet(S3Error):
    code = "NoSuchTagSet"
    status = 404
    said = "The TagSet does not exist"


class NoSuchCors(S3Error):
    code = "NoSuchCORSConfiguration"
    status = 404
    said = "The CORS configuration does not exist"


class NoSuchLifecycle(S3Error):
    code = "NoSuchLifecycleConfiguration"
    status = 404
    said = "The lifecycle configuration does not exist"


class NoObjectLock(S3Error):
    code = "ObjectLockConfigurationNotFoundError"
    status = 404
    said = "Object Lock configuration does not exist for this bucket"


class NoProtection(S3Error):
    code = "NoSuchObjectLockConfiguration"
    status = 404
    said = "The specified object does not have a ObjectLock configuration"


class InvalidBucketState(S3Error):
    code = "InvalidBucketState"
    status = 409
    said = "The request is not valid with the current state of the bucket."


class CorsForbidden(S3Error):
    code = "AccessForbidden"
    status = 403
    said = (
        "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request "
        "method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the "
        "resource's CORS spec."
    )


class MissingCorsHeader(S3Error):
    code = "BadRequest"


class MalformedPost(S3Error):
    code = "MalformedPOSTRequest"
    said = "The body of your POST request is not well-formed multipart/form-data."


class PostFieldsTooLarge(S3Error):
    code = "MaxPostPreDataLengthExceeded"
    said = "Your POST request fields preceding the upload file were too large."


class MissingPostFile(S3Error):
    code = "IncorrectNumberOfFilesInPostRequest"
    said = "POST requires exactly one file upload per request."


class InvalidPostPolicy(S3Error):
    code = "InvalidPolicyDocument"


class MarkedAsDeleted(S3Error):
    """A version that is a delete marker can only be deleted."""

    code = "MethodNotAllowed"
    status = 405
    said = "The specified method is not allowed against this resource."


# ------------------------------------------------------------------------------ what is wrong with a request


class InvalidS3Argument(S3Error):
    code = "InvalidArgument"
    said = "Invalid Argument"


class InvalidS3Request(S3Error):
    code = "InvalidRequest"
    said = "Invalid Request"


class InvalidBucketOwner(S3Error):
    code = "InvalidBucketOwnerAWSAccountID"
    said = "The value of the expected bucket owner parameter must be an AWS Account ID..."


class InvalidBucketName(S3Error):
    code = "InvalidBucketName"
    said = "The specified bucket is not valid."


class InvalidUri(S3Error):
    code = "InvalidURI"
    said = "Couldn't parse the specified URI."


class KeyTooLong(S3Error):
    code = "KeyTooLongError"
    said = "Your key is too long"


class MetadataTooLarge(S3Error):
    code = "MetadataTooLarge"
    said = "Your metadata headers exceed the maximum allowed metadata size"


class MalformedXml(S3Error):
    code = "MalformedXML"
    said = "The XML you provided was not well-formed or did not validate against our published schema"


class MalformedBucketPolicy(S3Error):
    code = "MalformedPolicy"


class InvalidTag(S3Error):
    code = "InvalidTag"
    said = "The tag provided was not a valid tag."


class IllegalLocationConstraint(S3Error):
    code = "IllegalLocationConstraintException"


class InvalidLocationConstraint(S3Error):
    code = "InvalidLocationConstraint"
    said = "The specified location-constraint is not valid"


class MissingBody(S3Error):
    code = "MissingRequestBodyError"
    said = "Request Body is empty"


class TooManyTags(S3Error):
    code = "BadRequest"


class InvalidRange(S3Error):
    code = "InvalidRange"
    status = 416
    said = "The requested range is not satisfiable"


class PreconditionFailed(S3Error):
    code = "PreconditionFailed"
    status = 412
    said = "At least one of the pre-conditions you specified did not hold"


class NotModified(S3Error):
    code = "NotModified"
    status = 304
    said = "Not Modified"


class NotImplementedHere(S3Error):
    code = "NotImplemented"
    status = 501
    said = "A header you provided implies functionality that is not implemented"


class UnsupportedMethod(S3Error):
    """A resource does not take the method, but others."""

    code = "MethodNotAllowed"
    status = 405
    said = "The specified method is not allowed against this resource."

    def __init__(self, method: str = "", resource: str = "", allowed: Iterable[str] = ()) -> None:
        super().__init__(about={"Method": method, "ResourceType": resource} if method else None)
        methods = ", ".join(sorted(allowed))
        self.headers = (("Allow", methods),) if methods else ()


class NoLoggingOfKey(S3Error):
    code = "NoLoggingStatusForKey"


# ------------------------------------------------------------------------------ states and callers


class BucketAlreadyExists(S3Error):
    code = "BucketAlreadyExists"
    status = 409
    said = (
        "The requested bucket name is not available. The bucket namespace is shared by all users of the "
        "system. Please select a different name and try again."
    )


class BucketAlreadyOwnedByYou(S3Error):
    code = "BucketAlreadyOwnedByYou"
    status = 409
    said = "Your previous request to create the named bucket succeeded and you already own it."


class BucketNotEmpty(S3Error):
    code = "BucketNotEmpty"
    status = 409
    said = "The bucket you tried to delete is not empty"


class TooManyBuckets(S3Error):
    code = "TooManyBuckets"
    said = "You have attempted to create more buckets than allowed"


class AuthorizationHeaderMalformed(S3Error):
    code = "AuthorizationHeaderMalformed"


class S3AccessDenied(S3Error):
    """A refusal that no policy decided."""

    code = "AccessDenied"
    status = 403
    said = "Access Denied"


class ObjectUnreadable(S3Error):
    """What the backing store keeps is not what was put there; nothing of it is served."""

    code = "InternalError"
    status = 500
    said = "We encountered an internal error. Please try again."


class StoreUnavailable(S3Error):
    """The backing store cannot be used now."""

    code = "ServiceUnavailable"
    status = 503
    said = "Please reduce your request rate."


# ------------------------------------------------------------------------------ keys


class KmsDisabledKey(S3Error):
    code = "KMS.DisabledException"


class KmsInvalidKeyState(S3Error):
    code = "KMS.KMSInvalidStateException"


class KmsNoSuchKey(S3Error):
    code = "KMS.NotFoundException"


class KmsInvalidUse(S3Error):
    code = "KMS.InvalidKeyUsageException"


class KmsUnavailableKey(S3Error):
    code = "KMS.KeyUnavailableException"
    status = 500


# ------------------------------------------------------------------------------ what nobody can have here


class TooManyAtOnce(S3Error):
    code = "SlowDown"
    status = 503


class AclsNotSupported(S3Error):
    code = "AccessControlListNotSupported"
    said = "The bucket does not allow ACLs"


class AclsNotWithOwnership(S3Error):
    code = "InvalidBucketAclWithObjectOwnership"
    said = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


class InvalidEncryptionAlgorithm(S3Error):
    """Of the caller's own key."""

    code = "InvalidEncryptionAlgorithmError"
    said = "The Encryption request you specified is not valid. Supported value: AES256."


class InvalidRedirectLocation(S3Error):
    code = "InvalidRedirectLocation"
    said = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."


class InvalidStorageClass(S3Error):
    code = "InvalidStorageClass"
    said = "The storage class you specified is not valid"


class InvalidPartNumber(S3Error):
    code = "InvalidPartNumber"
    status = 416
    said = "The requested partnumber is not satisfiable"
