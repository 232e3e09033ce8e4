"""What no bucket here can be set to, told as AWS tells it of a bucket that was never set so.

Clients that describe whole buckets ask for all of it. What would set it is not offered. Source: Amazon S3 API Reference,
the page of each operation, and "Error responses".
"""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.s3.access import bucket_named, on_bucket
from keystead.wire.models import s3 as wire

# ------------------------------------------------------------------------------ told as empty


@operation("GetBucketLogging", targets=on_bucket("GetBucketLogging"))
def get_bucket_logging(
    call: Call, request: wire.GetBucketLoggingRequest, _bucket: Target
) -> wire.GetBucketLoggingOutput:
    """Return that requests are logged into no bucket; the log has them all."""
    bucket_named(call, request.bucket)
    return wire.GetBucketLoggingOutput()


@operation("GetBucketNotificationConfiguration", targets=on_bucket("GetBucketNotification"))
def get_bucket_notification_configuration(
    call: Call, request: wire.GetBucketNotificationConfigurationRequest, _bucket: Target
) -> wire.NotificationConfiguration:
    """Return that nobody is told of changes."""
    bucket_named(call, request.bucket)
    return wire.NotificationConfiguration()


@operation("GetBucketRequestPayment", targets=on_bucket("GetBucketRequestPayment"))
def get_bucket_request_payment(
    call: Call, request: wire.GetBucketRequestPaymentRequest, _bucket: Target
) -> wire.GetBucketRequestPaymentOutput:
    """Return that requests are their bucket owner's to pay."""
    bucket_named(call, request.bucket)
    return wire.GetBucketRequestPaymentOutput(payer="BucketOwner")


@operation("GetBucketAccelerateConfiguration", targets=on_bucket("GetAccelerateConfiguration"))
def get_bucket_accelerate_configuration(
    call: Call, request: wire.GetBucketAccelerateConfigurationRequest, _bucket: Target
) -> wire.GetBucketAccelerateConfigurationOutput:
    """Return that there is no way round."""
    bucket_named(call, request.bucket)
    return wire.GetBucketAccelerateConfigurationOutput()


@operation("GetBucketAbac", targets=on_bucket("GetBucketAbac"))
def get_bucket_abac(
    call: Call, request: wire.GetBucketAbacRequest, _bucket: Target
) -> wire.GetBucketAbacOutput:
    """Return that the bucket's tags decide nothing."""
    bucket_named(call, request.bucket)
    return wire.GetBucketAbacOutput(abac_status=wire.AbacStatus(status="Disabled"))


# ------------------------------------------------------------------------------ told as not found


@operation("GetBucketWebsite", targets=on_bucket("GetBucketWebsite"))
def get_bucket_website(
    call: Call, request: wire.GetBucketWebsiteRequest, _bucket: Target
) -> wire.GetBucketWebsiteOutput:
    """Refuse: there is none."""
    raise errors.NoSuchWebsite(about={"BucketName": bucket_named(call, request.bucket).name})


@operation("GetBucketReplication", targets=on_bucket("GetReplicationConfiguration"))
def get_bucket_replication(
    call: Call, request: wire.GetBucketReplicationRequest, _bucket: Target
) -> wire.GetBucketReplicationOutput:
    """Refuse: there is none."""
    raise errors.NoReplication(about={"BucketName": bucket_named(call, request.bucket).name})


@operation("GetBucketMetadataConfiguration", targets=on_bucket("GetBucketMetadataTableConfiguration"))
def get_bucket_metadata_configuration(
    call: Call, request: wire.GetBucketMetadataConfigurationRequest, _bucket: Target
) -> wire.GetBucketMetadataConfigurationOutput:
    """Refuse: there is none."""
    raise errors.NoMetadataConfiguration(about={"BucketName": bucket_named(call, request.bucket).name})


@operation("GetBucketMetadataTableConfiguration", targets=on_bucket("GetBucketMetadataTableConfiguration"))
def get_bucket_metadata_table_configuration(
    call: Call, request: wire.GetBucketMetadataTableConfigurationRequest, _bucket: Target
) -> wire.GetBucketMetadataTableConfigurationOutput:
    """Refuse: there is none."""
    raise errors.NoMetadataConfiguration(about={"BucketName": bucket_named(call, request.bucket).name})


# ------------------------------------------------------------------------------ of which there can be several


@operation("GetBucketAnalyticsConfiguration", targets=on_bucket("GetAnalyticsConfiguration"))
def get_bucket_analytics_configuration(
    call: Call, request: wire.GetBucketAnalyticsConfigurationRequest, _bucket: Target
) -> wire.GetBucketAnalyticsConfigurationOutput:
    """Refuse: there is none."""
    bucket_named(call, request.bucket)
    raise errors.NoSuchConfiguration


@operation(
    "GetBucketIntelligentTieringConfiguration", targets=on_bucket("GetIntelligentTieringConfiguration")
)
def get_bucket_intelligent_tiering_configuration(
    call: Call, request: wire.GetBucketIntelligentTieringConfigurationRequest, _bucket: Target
) -> wire.GetBucketIntelligentTieringConfigurationOutput:
    """Refuse: there is none."""
    bucket_named(call, request.bucket)
    raise errors.NoSuchConfiguration


@operation("GetBucketInventoryConfiguration", targets=on_bucket("GetInventoryConfiguration"))
def get_bucket_inventory_configuration(
    call: Call, request: wire.GetBucketInventoryConfigurationRequest, _bucket: Target
) -> wire.GetBucketInventoryConfigurationOutput:
    """Refuse: there is none."""
    bucket_named(call, request.bucket)
    raise errors.NoSuchConfiguration


@operation("GetBucketMetricsConfiguration", targets=on_bucket("GetMetricsConfiguration"))
def get_bucket_metrics_configuration(
    call: Call, request: wire.GetBucketMetricsConfigurationRequest, _bucket: Target
) -> wire.GetBucketMetricsConfigurationOutput:
    """Refuse: there is none."""
    bucket_named(call, request.bucket)
    raise errors.NoSuchConfiguration


def _nothing(call: Call, request: Any) -> dict[str, Any]:
    """What a page says that is the only one.

    Raises:
        errors.MalformedToken: it is asked for what follows another one.
    """
    bucket_named(call, request.bucket)
    if request.continuation_token:
        raise errors.MalformedToken
    return {"is_truncated": False, "continuation_token": request.continuation_token}


@operation("ListBucketAnalyticsConfigurations", targets=on_bucket("GetAnalyticsConfiguration"))
def list_bucket_analytics_configurations(
    call: Call, request: wire.ListBucketAnalyticsConfigurationsRequest, _bucket: Target
) -> wire.ListBucketAnalyticsConfigurationsOutput:
    """Return that there is none."""
    return wire.ListBucketAnalyticsConfigurationsOutput(**_nothing(call, request))


@operation(
    "ListBucketIntelligentTieringConfigurations", targets=on_bucket("GetIntelligentTieringConfiguration")
)
def list_bucket_intelligent_tiering_configurations(
    call: Call, request: wire.ListBucketIntelligentTieringConfigurationsRequest, _bucket: Target
) -> wire.ListBucketIntelligentTieringConfigurationsOutput:
    """Return that there is none."""
    return wire.ListBucketIntelligentTieringConfigurationsOutput(**_nothing(call, request))


@operation("ListBucketInventoryConfigurations", targets=on_bucket("GetInventoryConfiguration"))
def list_bucket_inventory_configurations(
    call: Call, request: wire.ListBucketInventoryConfigurationsRequest, _bucket: Target
) -> wire.ListBucketInventoryConfigurationsOutput:
    """Return that there is none."""
    return wire.ListBucketInventoryConfigurationsOutput(**_nothing(call, request))


@operation("ListBucketMetricsConfigurations", targets=on_bucket("GetMetricsConfiguration"))
def list_bucket_metrics_configurations(
    call: Call, request: wire.ListBucketMetricsConfigurationsRequest, _bucket: Target
) -> wire.ListBucketMetricsConfigurationsOutput:
    """Return that there is none."""
    return wire.ListBucketMetricsConfigurationsOutput(**_nothing(call, request))


OPERATIONS = (
    get_bucket_logging,
    get_bucket_notification_configuration,
    get_bucket_request_payment,
    get_bucket_accelerate_configuration,
    get_bucket_abac,
    get_bucket_website,
    get_bucket_replication,
    get_bucket_metadata_configuration,
    get_bucket_metadata_table_configuration,
    get_bucket_analytics_configuration,
    get_bucket_intelligent_tiering_configuration,
    get_bucket_inventory_configuration,
    get_bucket_metrics_configuration,
    list_bucket_analytics_configurations,
    list_bucket_intelligent_tiering_configurations,
    list_bucket_inventory_configurations,
    list_bucket_metrics_configurations,
)
