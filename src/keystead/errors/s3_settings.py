"""The errors of Amazon S3 about settings of buckets that are not there."""

from __future__ import annotations

from keystead.errors.s3 import S3Error


class NoSuchWebsite(S3Error):
    code = "NoSuchWebsiteConfiguration"
    status = 404
    said = "The specified bucket does not have a website configuration"


class NoReplication(S3Error):
    code = "ReplicationConfigurationNotFoundError"
    status = 404
    said = "The replication configuration was not found"


class NoMetadataConfiguration(S3Error):
    code = "MetadataConfigurationNotFound"
    status = 404
    said = "The metadata configuration was not found"


class NoSuchConfiguration(S3Error):
    """Of analytics, inventory, metrics or tiering, of which a bucket can have several."""

    code = "NoSuchConfiguration"
    status = 404
    said = "The specified configuration does not exist."


class MalformedToken(S3Error):
    """Of a list of those; the lists of objects tell it otherwise."""

    code = "MalformedContinuationToken"
    said = "The continuation-token you provided invalid."
