"""What no bucket here can be set to, told as AWS tells it of a bucket that was never set so.

Clients that describe whole buckets ask for all of it. What would set it is not offered. Source: Amazon S3 API Reference,
the page of each operation, and "Error responses".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Operation, Target, operation
from keystead.services.s3.access import on_bucket
from keystead.wire.models import s3 as wire

# ------------------------------------------------------------------------------ told as empty


@operation("GetBucketLogging", targets=on_bucket("GetBucketLogging"))
def get_bucket_logging(
    _call: Call, _request: wire.GetBucketLoggingRequest, _bucket: Target
) -> wire.GetBucketLoggingOutput:
    """Return that requests are logged into no bucket; the log has them all."""
    return wire.GetBucketLoggingOutput()


@operation("GetBucketNotificationConfiguration", targets=on_bucket("GetBucketNotification"))
def get_bucket_notification_configuration(
    _call: Call, _request: wire.GetBucketNotificationConfigurationRequest, _bucket: Target
) -> wire.NotificationConfiguration:
    """Return that nobody is told of changes."""
    return wire.NotificationConfiguration()


@operation("GetBucketRequestPayment", targets=on_bucket("GetBucketRequestPayment"))
def get_bucket_request_payment(
    _call: Call, _request: wire.GetBucketRequestPaymentRequest, _bucket: Target
) -> wire.GetBucketRequestPaymentOutput:
    """Return that requests are their bucket owner's to pay."""
    return wire.GetBucketRequestPaymentOutput(payer="BucketOwner")


@operation("GetBucketAccelerateConfiguration", targets=on_bucket("GetAccelerateConfiguration"))
def get_bucket_accelerate_configuration(
    _call: Call, _request: wire.GetBucketAccelerateConfigurationRequest, _bucket: Target
) -> wire.GetBucketAccelerateConfigurationOutput:
    """Return that there is no way round."""
    return wire.GetBucketAccelerateConfigurationOutput()


@operation("GetBucketAbac", targets=on_bucket("GetBucketAbac"))
def get_bucket_abac(
    _call: Call, _request: wire.GetBucketAbacRequest, _bucket: Target
) -> wire.GetBucketAbacOutput:
    """Return that the bucket's tags decide nothing."""
    return wire.GetBucketAbacOutput(abac_status=wire.AbacStatus(status="Disabled"))


# ------------------------------------------------------------------------------ told as not found

_ONE: Final[tuple[tuple[str, str, type[errors.S3Error]], ...]] = (
    ("GetBucketWebsite", "GetBucketWebsite", errors.NoSuchWebsite),
    ("GetBucketReplication", "GetReplicationConfiguration", errors.NoReplication),
    (
        "GetBucketMetadataConfiguration",
        "GetBucketMetadataTableConfiguration",
        errors.NoMetadataConfiguration,
    ),
    (
        "GetBucketMetadataTableConfiguration",
        "GetBucketMetadataTableConfiguration",
        errors.NoMetadataConfiguration,
    ),
)
"""Questions for what a bucket has one of: the operation, the permission that it takes, and what it says."""


def _none(name: str, action: str, refusal: type[errors.S3Error]) -> Operation:
    @operation(name, targets=on_bucket(action))
    def refuse(_call: Call, request: Any, _bucket: Target) -> None:
        """Refuse: there is none."""
        raise refusal(about={"BucketName": request.bucket})

    return refuse


# ------------------------------------------------------------------------------ of which there can be several

_SEVERAL: Final[tuple[tuple[str, Callable[..., Any]], ...]] = (
    ("Analytics", wire.ListBucketAnalyticsConfigurationsOutput),
    ("IntelligentTiering", wire.ListBucketIntelligentTieringConfigurationsOutput),
    ("Inventory", wire.ListBucketInventoryConfigurationsOutput),
    ("Metrics", wire.ListBucketMetricsConfigurationsOutput),
)
"""Settings that a bucket can have several of, each by its id: what they are called, and the answer that lists them."""


def _not_this(called: str) -> Operation:
    @operation(f"GetBucket{called}Configuration", targets=on_bucket(f"Get{called}Configuration"))
    def refuse(_call: Call, _request: Any, _bucket: Target) -> None:
        """Refuse: there is none."""
        raise errors.NoSuchConfiguration

    return refuse


def _listed(called: str, answer: Callable[..., Any]) -> Operation:
    @operation(f"ListBucket{called}Configurations", targets=on_bucket(f"Get{called}Configuration"))
    def tell(_call: Call, request: Any, _bucket: Target) -> Any:
        """Return that there is none."""
        if request.continuation_token:  # no page has one that could follow
            raise errors.MalformedToken
        return answer(is_truncated=False, continuation_token=request.continuation_token)

    return tell


OPERATIONS = (
    get_bucket_logging,
    get_bucket_notification_configuration,
    get_bucket_request_payment,
    get_bucket_accelerate_configuration,
    get_bucket_abac,
    *(_none(*row) for row in _ONE),
    *(_not_this(called) for called, _ in _SEVERAL),
    *(_listed(*row) for row in _SEVERAL),
)
