"""Object Lock: versions that nobody deletes before their time, whoever asks and by whichever way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from keystead.clock import ManualClock
from keystead.services.s3.protecting import years_later
from keystead.testing.server import RunningServer

NOW = datetime(2030, 1, 15, 12, tzinfo=UTC)
DAY = 86_400
ALL = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
NO_BYPASS = {"Effect": "Deny", "Action": "s3:BypassGovernanceRetention", "Resource": "*"}


def after(**period: Any) -> datetime:
    return NOW + timedelta(**period)


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"p": {"Version": "2012-10-17", "Statement": list(statements)}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path, clock=ManualClock(NOW.timestamp())) as running:
        yield running


def client(server: RunningServer, person: Any = None) -> Any:
    return server.client_of(person or server.root(), "s3", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def s3(server: RunningServer) -> Any:
    s3 = client(server)
    s3.create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True)
    return s3


def put(s3: Any, **more: Any) -> dict[str, str]:
    """What names the version that was put."""
    made = s3.put_object(Bucket="bucket", Key="k", Body=b"body", **more)
    return {"Bucket": "bucket", "Key": "k", "VersionId": made["VersionId"]}


def retained(s3: Any, mode: str, **more: Any) -> dict[str, str]:
    return put(s3, ObjectLockMode=mode, ObjectLockRetainUntilDate=after(days=10), **more)


def refused(call: Any, **named: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**named)
    return str(caught.value.response["Error"]["Code"])


def test_a_bucket_with_object_lock_has_versions_and_keeps_them(s3: Any) -> None:
    assert s3.get_bucket_versioning(Bucket="bucket")["Status"] == "Enabled"
    told = s3.get_object_lock_configuration(Bucket="bucket")["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Bucket": "bucket", "VersioningConfiguration": {"Status": "Suspended"}}
    assert refused(s3.put_bucket_versioning, **suspended) == "InvalidBucketState"


def test_a_bucket_gets_object_lock_later_if_it_has_versions(s3: Any) -> None:
    s3.create_bucket(Bucket="later")
    asked = {"Bucket": "later", "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    assert refused(s3.get_object_lock_configuration, Bucket="later") == "ObjectLockConfigurationNotFoundError"
    assert refused(s3.put_object_lock_configuration, **asked) == "InvalidBucketState"
    s3.put_bucket_versioning(Bucket="later", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(**asked)
    assert s3.get_object_lock_configuration(Bucket="later")["ObjectLockConfiguration"]


def test_without_object_lock_nothing_is_locked(s3: Any) -> None:
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="plain", Key="k", Body=b"")
    named = {"Bucket": "plain", "Key": "k"}
    assert refused(s3.put_object_legal_hold, **named, LegalHold={"Status": "ON"}) == "InvalidRequest"
    assert refused(s3.get_object_retention, **named) == "InvalidRequest"
    assert refused(s3.put_object, **named, Body=b"", ObjectLockLegalHoldStatus="ON") == "InvalidRequest"


def test_compliance_gives_way_to_nobody_before_its_time(server: RunningServer, s3: Any) -> None:
    version = retained(s3, "COMPLIANCE")
    assert refused(s3.delete_object, **version) == "AccessDenied"
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True) == "AccessDenied"
    for retention in (
        {},
        {"Mode": "COMPLIANCE", "RetainUntilDate": after(days=9)},
        {"Mode": "GOVERNANCE", "RetainUntilDate": after(days=20)},
    ):
        asked = {**version, "Retention": retention, "BypassGovernanceRetention": True}
        assert refused(s3.put_object_retention, **asked) == "AccessDenied"
    longer = {"Mode": "COMPLIANCE", "RetainUntilDate": after(days=11)}
    s3.put_object_retention(**version, Retention=longer)
    assert s3.get_object_retention(**version)["Retention"] == longer
    server.advance(10.5 * DAY)
    assert refused(s3.delete_object, **version) == "AccessDenied"
    server.advance(DAY)
    s3.delete_object(**version)
    assert refused(s3.head_object, **version) == "404"


def test_governance_gives_way_to_who_may_bypass_it_and_says_so(server: RunningServer, s3: Any) -> None:
    version = retained(s3, "GOVERNANCE")
    other = client(server, server.user("other", policy(ALL, NO_BYPASS)))
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": after(days=1)}
    bypass = {"BypassGovernanceRetention": True}
    for who, more in ((s3, {}), (other, bypass)):
        assert refused(who.delete_object, **version, **more) == "AccessDenied"
        assert refused(who.put_object_retention, **version, Retention=shorter, **more) == "AccessDenied"
    stronger = {"Mode": "COMPLIANCE", "RetainUntilDate": after(days=20)}
    assert refused(s3.put_object_retention, **version, Retention=stronger) == "AccessDenied"
    other.put_object_retention(**version, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": after(days=12)})
    s3.put_object_retention(**version, Retention=shorter, **bypass)
    s3.put_object_retention(**version, Retention={}, **bypass)
    assert refused(s3.get_object_retention, **version) == "NoSuchObjectLockConfiguration"
    second = retained(s3, "GOVERNANCE")
    s3.delete_object(**second, **bypass)
    s3.delete_object(**version)


def test_a_legal_hold_holds_whatever_the_retention(server: RunningServer, s3: Any) -> None:
    version = put(s3, ObjectLockLegalHoldStatus="ON")
    server.advance(1000 * DAY)
    assert refused(s3.delete_object, **version, BypassGovernanceRetention=True) == "AccessDenied"
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "ON"}
    s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**version)["LegalHold"] == {"Status": "OFF"}
    s3.delete_object(**version)


def test_many_are_deleted_but_what_is_locked(s3: Any) -> None:
    locked, free = retained(s3, "COMPLIANCE"), put(s3)
    named = [{"Key": "k", "VersionId": each["VersionId"]} for each in (locked, free)]
    told = s3.delete_objects(Bucket="bucket", Delete={"Objects": named})
    assert [row["VersionId"] for row in told["Deleted"]] == [free["VersionId"]]
    assert [(row["VersionId"], row["Code"]) for row in told["Errors"]] == [
        (locked["VersionId"], "AccessDenied")
    ]
    assert s3.get_object(**locked)["Body"].read() == b"body"


def test_a_marker_hides_what_is_locked_and_an_overwrite_keeps_it(s3: Any) -> None:
    version = retained(s3, "COMPLIANCE")
    put(s3)
    assert s3.delete_object(Bucket="bucket", Key="k")["DeleteMarker"]
    assert s3.get_object(**version)["Body"].read() == b"body"
    s3.put_object_tagging(**version, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert s3.get_object_retention(**version)["Retention"]["Mode"] == "COMPLIANCE"
    assert refused(s3.delete_bucket, Bucket="bucket") == "BucketNotEmpty"


def test_rules_end_nothing_that_is_locked(server: RunningServer, s3: Any) -> None:
    rule = {
        "Status": "Enabled",
        "Filter": {},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [rule]})
    locked, held = retained(s3, "GOVERNANCE"), put(s3, ObjectLockLegalHoldStatus="ON")
    put(s3)
    for _ in range(5):
        server.advance(DAY)
    kept = {row["VersionId"] for row in s3.list_object_versions(Bucket="bucket")["Versions"]}
    assert kept == {locked["VersionId"], held["VersionId"]}
    for _ in range(7):
        server.advance(DAY)
    assert [row["VersionId"] for row in s3.list_object_versions(Bucket="bucket")["Versions"]] == [
        held["VersionId"]
    ]


def test_the_key_of_a_locked_version_is_not_changed(server: RunningServer, s3: Any) -> None:
    key = server.client_of(server.root(), "kms").create_key()["KeyMetadata"]["Arn"]
    version = retained(s3, "GOVERNANCE")
    asked = {"ObjectEncryption": {"SSEKMS": {"KMSKeyArn": key}}}
    assert refused(s3.update_object_encryption, **version, **asked) == "AccessDenied"


@pytest.mark.parametrize(
    ("period", "until"), [({"Days": 3}, after(days=3)), ({"Years": 2}, NOW.replace(year=2032))]
)
def test_new_versions_are_retained_as_the_bucket_says(
    s3: Any, period: dict[str, int], until: datetime
) -> None:
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", **period}}
    s3.put_object_lock_configuration(
        Bucket="bucket", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    told = s3.get_object_lock_configuration(Bucket="bucket")["ObjectLockConfiguration"]
    assert told["Rule"] == rule
    expected = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    assert s3.get_object_retention(**put(s3))["Retention"] == expected
    copied = s3.copy_object(Bucket="bucket", Key="c", CopySource="bucket/k")
    named = {"Bucket": "bucket", "Key": "c", "VersionId": copied["VersionId"]}
    assert s3.get_object_retention(**named)["Retention"] == expected
    assert s3.get_object_retention(**retained(s3, "GOVERNANCE"))["Retention"]["Mode"] == "GOVERNANCE"


def test_uploads_in_parts_are_protected_as_they_were_begun(s3: Any) -> None:
    named = {"Bucket": "bucket", "Key": "k"}
    upload = s3.create_multipart_upload(
        **named,
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=after(days=4),
        ObjectLockLegalHoldStatus="ON",
    )["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"body")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
    head = s3.head_object(**named)
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("COMPLIANCE", "ON")
    assert head["ObjectLockRetainUntilDate"] == after(days=4)


def test_who_may_not_ask_for_the_lock_is_not_told_of_it(server: RunningServer, s3: Any) -> None:
    version = retained(s3, "GOVERNANCE", ObjectLockLegalHoldStatus="ON")
    no_asking = {
        "Effect": "Deny",
        "Action": ["s3:GetObjectRetention", "s3:GetObjectLegalHold"],
        "Resource": "*",
    }
    other = client(server, server.user("other", policy(ALL, no_asking)))
    told = other.get_object(**version)
    assert told["Body"].read() == b"body"
    assert "ObjectLockMode" not in told
    assert "ObjectLockLegalHoldStatus" not in told
    told = s3.get_object(**version)
    assert (told["ObjectLockMode"], told["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")


def test_who_locks_must_be_allowed_to_and_conditions_say_how_long(server: RunningServer, s3: Any) -> None:
    putting = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    most = {"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "5"}}
    retaining = {"Effect": "Allow", "Action": "s3:PutObjectRetention", "Resource": "*", "Condition": most}
    person = server.user("writer", policy(putting, retaining))
    other = client(server, person)
    named = {"Bucket": "bucket", "Key": "k", "Body": b""}
    asked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": after(days=6)}
    assert refused(other.put_object, **named, **asked) == "AccessDenied"
    assert refused(other.put_object, **named, ObjectLockLegalHoldStatus="ON") == "AccessDenied"
    asked["ObjectLockRetainUntilDate"] = after(days=5)
    made = other.put_object(**named, **asked)
    version = {"Bucket": "bucket", "Key": "k", "VersionId": made["VersionId"]}
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": after(days=30)}
    assert refused(other.put_object_retention, **version, Retention=longer) == "AccessDenied"
    assert refused(other.create_bucket, Bucket="other", ObjectLockEnabledForBucket=True) == "AccessDenied"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ObjectLockMode": "GOVERNANCE"}, "InvalidArgument"),
        ({"ObjectLockRetainUntilDate": after(days=1)}, "InvalidArgument"),
        ({"ObjectLockMode": "governance", "ObjectLockRetainUntilDate": after(days=1)}, "InvalidArgument"),
        ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": after(days=-1)}, "InvalidArgument"),
        ({"ObjectLockLegalHoldStatus": "on"}, "InvalidArgument"),
    ],
)
def test_headers_that_make_no_sense_are_refused(s3: Any, headers: dict[str, Any], expected: str) -> None:
    assert refused(s3.put_object, Bucket="bucket", Key="k", Body=b"", **headers) == expected
    assert "Versions" not in s3.list_object_versions(Bucket="bucket")


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"RetainUntilDate": after(days=1)}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "RetainUntilDate": after(days=-1)}, "InvalidArgument"),
    ],
)
def test_retentions_that_make_no_sense_are_refused(s3: Any, retention: dict[str, Any], expected: str) -> None:
    assert refused(s3.put_object_retention, **put(s3), Retention=retention) == expected


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        ({"Mode": "GOVERNANCE"}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        ({"Mode": "GOVERNANCE", "Days": 0}, "InvalidArgument"),
        ({"Mode": "GOVERNANCE", "Years": 101}, "InvalidArgument"),
    ],
)
def test_default_retentions_that_make_no_sense_are_refused(
    s3: Any, retention: dict[str, Any], expected: str
) -> None:
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    assert (
        refused(s3.put_object_lock_configuration, Bucket="bucket", ObjectLockConfiguration=lock) == expected
    )


def test_years_are_years_of_the_calendar() -> None:
    leap = datetime(2028, 2, 29, 1, tzinfo=UTC).timestamp()
    assert years_later(leap, 1) == datetime(2029, 2, 28, 1, tzinfo=UTC).timestamp()
    assert years_later(leap, 4) == datetime(2032, 2, 29, 1, tzinfo=UTC).timestamp()


def test_locks_outlive_a_restart(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="bucket", ObjectLockEnabledForBucket=True)
        until = datetime.now(UTC) + timedelta(days=1)
        version = put(s3, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
        root = server.credential()
    with RunningServer(tmp_path) as again:
        again._credentials[root.account] = root
        assert refused(client(again).delete_object, **version) == "AccessDenied"
