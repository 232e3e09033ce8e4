"""Lifecycle rules: what comes to its end goes at midnight, by work that falls due, and each time with an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from keystead.api.schedule import DUE
from keystead.clock import ManualClock
from keystead.services.s3 import expiring
from keystead.services.s3.garbage import GARBAGE
from keystead.storage import Transaction
from keystead.testing.server import RunningServer

NOON = datetime(2030, 1, 15, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600, 86_400
EVENTS = {"ExpireObject", "ExpireDeleteMarker", "ExpireObjectVersion", "AbortExpiredUpload"}


def client(server: RunningServer) -> Any:
    return server.client_of(server.root(), "s3", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path, clock=ManualClock(NOON)) as running:
        yield running


@pytest.fixture
def s3(server: RunningServer) -> Any:
    s3 = client(server)
    s3.create_bucket(Bucket="bucket")
    return s3


@pytest.fixture
def rule(s3: Any) -> Callable[..., None]:
    """What puts one rule."""

    def put(prefix: str = "", **members: Any) -> None:
        given = {"ID": "rule", "Status": "Enabled", "Filter": {"Prefix": prefix}, **members}
        s3.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [given]})

    return put


def put(s3: Any, *keys: str, **more: Any) -> None:
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"body", **more)


def keys(s3: Any) -> list[str]:
    return [row["Key"] for row in s3.list_objects_v2(Bucket="bucket").get("Contents", ())]


def versions(s3: Any) -> list[tuple[str, bool, bool]]:
    """Key, whether a marker, whether the newest."""
    found = s3.list_object_versions(Bucket="bucket")
    rows = [(row["Key"], False, row["IsLatest"]) for row in found.get("Versions", ())]
    return sorted(rows + [(row["Key"], True, row["IsLatest"]) for row in found.get("DeleteMarkers", ())])


def told(server: RunningServer) -> list[tuple[str, str]]:
    events = [event for event in server.events() if event.get("eventName") in EVENTS]
    return [(event["eventName"], event["serviceEventDetails"]["key"]) for event in events]


def refused(call: Any, **named: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**named)
    return str(caught.value.response["Error"]["Code"])


def test_objects_go_at_the_midnight_after_their_last_day(server: RunningServer, s3: Any, rule: Any) -> None:
    rule("old/", Expiration={"Days": 2})
    put(s3, "old/a", "other")
    server.advance(2 * DAY + 11 * HOUR)
    assert keys(s3) == ["old/a", "other"]
    server.advance(HOUR)
    assert keys(s3) == ["other"]
    assert told(server) == [("ExpireObject", "old/a")]
    (event,) = [event for event in server.events() if event["eventName"] == "ExpireObject"]
    assert event["eventSource"] == "s3.amazonaws.com"
    assert event["eventType"] == "AwsServiceEvent"
    assert event["serviceEventDetails"] == {"bucketName": "bucket", "key": "old/a", "ruleId": "rule"}
    assert event["resources"] == [
        {
            "accountId": server.credential().account,
            "type": "AWS::S3::Object",
            "ARN": "arn:aws:s3:::bucket/old/a",
        }
    ]
    assert len(server.store.transaction().scan(GARBAGE, "")) == 1


def test_what_was_missed_is_made_up_for_once(tmp_path: Path) -> None:
    with RunningServer(tmp_path, clock=ManualClock(NOON)) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="bucket")
        given = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [given]})
        put(s3, "a")
        root = server.credential()
    with RunningServer(tmp_path, clock=ManualClock(NOON + 30 * DAY)) as again:
        again._credentials[root.account] = root
        s3 = client(again)
        put(s3, "b")
        again.advance(1)
        assert keys(s3) == ["b"]
        again.advance(2 * DAY)
        assert keys(s3) == []
        assert told(again) == [("ExpireObject", "a"), ("ExpireObject", "b")]


def test_rules_act_that_were_stored_before_any_did(tmp_path: Path) -> None:
    with RunningServer(tmp_path, clock=ManualClock(NOON)) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="bucket")
        given = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [given]})
        put(s3, "a")
        root = server.credential()

        def forget(tx: Transaction) -> None:
            for place, row in tx.scan(DUE, ""):
                if row.kind == expiring.DUE:
                    tx.delete(DUE, place)

        server.store.run(forget)
    for _ in range(2):  # a start adds nothing to what another one found
        with RunningServer(tmp_path, clock=ManualClock(NOON + 3 * HOUR)) as again:
            rows = [row for _, row in again.store.transaction().scan(DUE, "") if row.kind == expiring.DUE]
            assert len(rows) == 1
    with RunningServer(tmp_path, clock=ManualClock(NOON + 3 * HOUR)) as again:
        again._credentials[root.account] = root
        again.advance(2 * DAY)
        assert keys(client(again)) == []
        assert told(again) == [("ExpireObject", "a")]


def test_a_date_ends_all_there_is(server: RunningServer, s3: Any, rule: Any) -> None:
    rule(Expiration={"Date": datetime(2030, 1, 17, tzinfo=UTC)})
    put(s3, "a")
    server.advance(DAY)
    assert keys(s3) == ["a"]
    server.advance(DAY)
    assert keys(s3) == []


@pytest.mark.parametrize(
    ("filter_", "left"),
    [
        ({"Tag": {"Key": "team", "Value": "x"}}, ["large", "small", "tagged y"]),
        ({"ObjectSizeGreaterThan": 4}, ["small", "tagged x", "tagged y"]),
        ({"ObjectSizeLessThan": 4}, ["large", "tagged x", "tagged y"]),
        ({"And": {"Prefix": "t", "Tags": [{"Key": "team", "Value": "y"}]}}, ["large", "small", "tagged x"]),
        ({"And": {"Prefix": "s", "ObjectSizeGreaterThan": 100}}, ["large", "small", "tagged x", "tagged y"]),
    ],
)
def test_filters_say_what_a_rule_is_about(
    server: RunningServer, s3: Any, rule: Any, filter_: dict[str, Any], left: list[str]
) -> None:
    rule(Filter=filter_, Expiration={"Days": 1})
    put(s3, "tagged x", Tagging="team=x")
    put(s3, "tagged y", Tagging="team=y&more=1")
    s3.put_object(Bucket="bucket", Key="large", Body=b"12345")
    s3.put_object(Bucket="bucket", Key="small", Body=b"1")
    server.advance(2 * DAY)
    assert keys(s3) == left


def test_a_rule_that_is_disabled_or_gone_ends_nothing(server: RunningServer, s3: Any, rule: Any) -> None:
    put(s3, "a")
    rule(Status="Disabled", Expiration={"Days": 1})
    server.advance(3 * DAY)
    rule(Expiration={"Days": 1})
    s3.delete_bucket_lifecycle(Bucket="bucket")
    server.advance(3 * DAY)
    assert keys(s3) == ["a"]
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket="bucket") == "NoSuchLifecycleConfiguration"


def test_versions_are_hidden_by_a_marker_which_goes_when_it_is_alone(
    server: RunningServer, s3: Any, rule: Any
) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    rule(Expiration={"Days": 1}, NoncurrentVersionExpiration={"NoncurrentDays": 2})
    put(s3, "a")
    server.advance(2 * DAY)
    assert versions(s3) == [("a", False, False), ("a", True, True)]
    server.advance(3 * DAY)
    assert versions(s3) == [("a", True, True)]
    server.advance(DAY)
    assert versions(s3) == []
    assert told(server) == [("ExpireObject", "a"), ("ExpireObjectVersion", "a"), ("ExpireDeleteMarker", "a")]


def test_newer_versions_stay_whatever_their_age(server: RunningServer, s3: Any, rule: Any) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2})
    for _ in range(5):
        put(s3, "a")
    kept = [row["VersionId"] for row in s3.list_object_versions(Bucket="bucket")["Versions"]][:3]
    server.advance(10 * DAY)
    assert [row["VersionId"] for row in s3.list_object_versions(Bucket="bucket")["Versions"]] == kept


def test_a_version_is_as_old_as_what_replaced_it(server: RunningServer, s3: Any, rule: Any) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    rule(NoncurrentVersionExpiration={"NoncurrentDays": 1})
    put(s3, "a")
    server.advance(10 * DAY)
    put(s3, "a")
    server.advance(DAY)
    assert len(versions(s3)) == 2
    server.advance(DAY)
    assert versions(s3) == [("a", False, True)]


def test_markers_alone_go_at_once_where_a_rule_says_so(server: RunningServer, s3: Any, rule: Any) -> None:
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    rule(Expiration={"ExpiredObjectDeleteMarker": True})
    put(s3, "kept")
    s3.delete_object(Bucket="bucket", Key="kept")
    s3.delete_object(Bucket="bucket", Key="alone")
    server.advance(DAY)
    assert versions(s3) == [("kept", False, False), ("kept", True, True)]


def test_uploads_that_nobody_completes_are_aborted(server: RunningServer, s3: Any, rule: Any) -> None:
    rule("up/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})
    begun = s3.create_multipart_upload(Bucket="bucket", Key="up/a")
    assert begun["AbortRuleId"] == "rule"
    assert begun["AbortDate"] == datetime(2030, 1, 17, tzinfo=UTC)
    s3.upload_part(Bucket="bucket", Key="up/a", UploadId=begun["UploadId"], PartNumber=1, Body=b"part")
    s3.create_multipart_upload(Bucket="bucket", Key="other")
    server.advance(DAY)
    assert len(s3.list_multipart_uploads(Bucket="bucket")["Uploads"]) == 2
    server.advance(DAY)
    server.advance(expiring.PAUSE)
    assert [row["Key"] for row in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == ["other"]
    assert told(server) == [("AbortExpiredUpload", "up/a")]
    assert len(server.store.transaction().scan(GARBAGE, "")) == 1


def test_answers_tell_when_an_object_goes(s3: Any, rule: Any) -> None:
    rule("old/", ID="the rule", Expiration={"Days": 2})
    said = 'expiry-date="Fri, 18 Jan 2030 00:00:00 GMT", rule-id="the%20rule"'
    assert s3.put_object(Bucket="bucket", Key="old/a", Body=b"")["Expiration"] == said
    assert s3.get_object(Bucket="bucket", Key="old/a")["Expiration"] == said
    assert s3.head_object(Bucket="bucket", Key="old/a")["Expiration"] == said
    assert s3.copy_object(Bucket="bucket", Key="old/b", CopySource="bucket/old/a")["Expiration"] == said
    assert "Expiration" not in s3.copy_object(Bucket="bucket", Key="c", CopySource="bucket/old/a")


def test_a_large_bucket_is_swept_page_by_page(
    server: RunningServer, s3: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "_GONE", 2)
    monkeypatch.setattr(expiring, "_ROWS", 3)
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    rule(
        Expiration={"Days": 1},
        NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
    )
    for _ in range(8):
        put(s3, "a", "b")
    put(s3, "c")
    server.advance(2 * DAY)
    for _ in range(30):
        server.advance(expiring.PAUSE)
    counts = {key: sum(row[0] == key for row in versions(s3)) for key in "abc"}
    assert counts == {"a": 4, "b": 4, "c": 2}
    assert [row[0] for row in versions(s3) if row[1]] == ["a", "b", "c"]
    assert len(told(server)) == 13


def test_what_changes_while_it_is_swept_is_looked_at_again(server: RunningServer, s3: Any, rule: Any) -> None:
    rule(Filter={"Tag": {"Key": "old", "Value": "1"}}, Expiration={"Days": 1})
    put(s3, "a", Tagging="old=1")
    submit, left = server.app.committer.submit, [None]

    def held(*submissions: Any) -> None:
        if (
            any(b"ExpireObject" in b"".join(each.records) for each in submissions if each.transaction)
            and left
        ):
            left.pop()
            tx = server.store.transaction()
            bucket = tx.get(expiring.BUCKETS, "bucket")
            place = f"{bucket.id}/a"

            tx.put(expiring.OBJECTS, place, msgspec.structs.replace(tx.get(expiring.OBJECTS, place), tags={}))
            server.store.commit([tx])
        submit(*submissions)

    server.app.committer.submit = held  # type: ignore[method-assign]
    server.advance(3 * DAY)
    assert not left
    assert keys(s3) == ["a"]
    assert told(server) == []


GOOD = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Filter": None}, "MalformedXML"),
        ({"Prefix": "p"}, "MalformedXML"),
        ({"Filter": {"Prefix": "p", "ObjectSizeLessThan": 3}}, "MalformedXML"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": datetime(2030, 1, 1, 5, tzinfo=UTC)}}, "InvalidArgument"),
        ({"Expiration": None}, "InvalidRequest"),
        ({"ID": "r" * 256}, "InvalidArgument"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}, "InvalidArgument"),
        ({"NoncurrentVersionExpiration": {"NewerNoncurrentVersions": 1}}, "MalformedXML"),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}},
            "InvalidArgument",
        ),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
        (
            {
                "Filter": {"Tag": {"Key": "k", "Value": "v"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            "InvalidRequest",
        ),
        (
            {
                "Filter": {"Tag": {"Key": "k", "Value": "v"}},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
            "InvalidRequest",
        ),
        ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, "NotImplemented"),
    ],
)
def test_rules_that_make_no_sense_are_refused(s3: Any, changes: dict[str, Any], expected: str) -> None:
    given = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    asked = {"Bucket": "bucket", "LifecycleConfiguration": {"Rules": [given]}}
    assert refused(s3.put_bucket_lifecycle_configuration, **asked) == expected


def test_rules_have_ids_of_their_own(s3: Any) -> None:
    twice = {"Rules": [GOOD, GOOD]}
    asked = {"Bucket": "bucket", "LifecycleConfiguration": twice}
    assert refused(s3.put_bucket_lifecycle_configuration, **asked) == "InvalidArgument"
    nameless = {name: value for name, value in GOOD.items() if name != "ID"}
    s3.put_bucket_lifecycle_configuration(Bucket="bucket", LifecycleConfiguration={"Rules": [nameless] * 2})
    ids = [row["ID"] for row in s3.get_bucket_lifecycle_configuration(Bucket="bucket")["Rules"]]
    assert len(set(ids)) == 2
