"""What S3 says of a body that is not what its request says (Amazon S3 API Reference, "Error Responses")."""

from __future__ import annotations

from keystead.errors.s3 import S3Error


class IncompleteBody(S3Error):
    code = "IncompleteBody"
    said = "You did not provide the number of bytes specified by the Content-Length HTTP header"


class MissingContentLength(S3Error):
    code = "MissingContentLength"
    status = 411
    said = "You must provide the Content-Length HTTP header."


class EntityTooLarge(S3Error):
    code = "EntityTooLarge"
    said = "Your proposed upload exceeds the maximum allowed size"


class EntityTooSmall(S3Error):
    code = "EntityTooSmall"
    said = "Your proposed upload is smaller than the minimum allowed size"


class BadDigest(S3Error):
    code = "BadDigest"
    said = "The Content-MD5 you specified did not match what we received."


class InvalidDigest(S3Error):
    code = "InvalidDigest"
    said = "The Content-MD5 you specified was invalid."


class ContentSha256Mismatch(S3Error):
    code = "XAmzContentSHA256Mismatch"
    said = "The provided 'x-amz-content-sha256' header does not match what was computed."


class MalformedTrailer(S3Error):
    code = "MalformedTrailerError"
    said = "The request contained trailing data that was not well-formed or did not conform to our published schema."


class InvalidPart(S3Error):
    code = "InvalidPart"
    said = (
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag."
    )


class InvalidPartOrder(S3Error):
    code = "InvalidPartOrder"
    said = "The list of parts was not in ascending order. Parts must be ordered by part number."
