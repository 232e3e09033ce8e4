"""Versions: kept, named, deleted, brought back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_s3 import sent

from keystead.services.s3.tables import BUCKETS, MARKERS, OBJECTS, object_place

_names = itertools.count()


def versioned(s3: Any, bucket: str, status: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def listed(s3: Any, bucket: str, **more: Any) -> list[tuple[str, str, bool, bool]]:
    rows = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **more):
        rows += [(r["Key"], r["VersionId"], r["IsLatest"], False) for r in page.get("Versions", ())]
        rows += [(r["Key"], r["VersionId"], r["IsLatest"], True) for r in page.get("DeleteMarkers", ())]
    return rows


def body(s3: Any, bucket: str, **more: Any) -> bytes:
    found: bytes = s3.get_object(Bucket=bucket, Key="k", **more)["Body"].read()
    return found


def test_each_put_is_a_version_and_a_delete_is_a_marker(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    versioned(s3, bucket)
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=text)["VersionId"] for text in (b"1", b"2", b"3")]
    assert len(set(ids)) == 3
    assert body(s3, bucket) == b"3"
    assert [body(s3, bucket, VersionId=each) for each in ids] == [b"1", b"2", b"3"]
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] is True
    with pytest.raises(ClientError) as caught:
        body(s3, bucket)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NoSuchKey"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as caught:
        body(s3, bucket, VersionId=gone["VersionId"])
    assert caught.value.response["Error"]["Code"] == "MethodNotAllowed"
    assert listed(s3, bucket) == [
        ("k", ids[2], False, False),
        ("k", ids[1], False, False),
        ("k", ids[0], False, False),
        ("k", gone["VersionId"], True, True),
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    assert body(s3, bucket) == b"3"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert body(s3, bucket) == b"2"


def test_what_came_before_versions_is_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    versioned(s3, bucket)
    named = s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]
    assert body(s3, bucket, VersionId="null") == b"old"
    versioned(s3, bucket, "Suspended")
    s3.put_object(Bucket=bucket, Key="k", Body=b"later")
    assert body(s3, bucket, VersionId="null") == b"later"
    assert body(s3, bucket, VersionId=named) == b"new"
    assert sorted(row[1] for row in listed(s3, bucket)) == sorted([named, "null"])
    s3.delete_object(Bucket=bucket, Key="k")
    assert sorted(row[1:] for row in listed(s3, bucket)) == sorted(
        [(named, False, False), ("null", True, True)]
    )


def test_all_versions_are_deleted_at_once_and_then_the_bucket(s3: Any, bucket: str) -> None:
    versioned(s3, bucket)
    for _ in range(4):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "BucketNotEmpty"
    found = [{"Key": key, "VersionId": version} for key, version, *_ in listed(s3, bucket)]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": found})
    assert len(answer["Deleted"]) == 5
    assert listed(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_versions_have_everything_once(s3: Any, bucket: str, size: int) -> None:
    versioned(s3, bucket)
    for key in ("a", "b/1", "b/2", "c"):
        for _ in range(3):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
    whole = sorted(listed(s3, bucket))
    assert len(whole) == 12
    assert sorted(listed(s3, bucket, PaginationConfig={"PageSize": size})) == whole


def test_a_version_that_is_none_is_not_found(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        body(s3, bucket, VersionId="0" * 32)
    assert caught.value.response["Error"]["Code"] == "NoSuchVersion"


OF_A_VERSION: list[tuple[str, dict[str, Any]]] = [
    ("get_object", {}),
    ("head_object", {}),
    ("delete_object", {}),
    ("get_object_acl", {}),
    ("get_object_attributes", {"ObjectAttributes": ["ETag"]}),
    ("get_object_tagging", {}),
    ("put_object_tagging", {"Tagging": {"TagSet": []}}),
    ("delete_object_tagging", {}),
    ("get_object_retention", {}),
    ("put_object_retention", {"Retention": {}}),
    ("get_object_legal_hold", {}),
    ("put_object_legal_hold", {"LegalHold": {"Status": "ON"}}),
]


@pytest.mark.parametrize("version", ["x", "../../k", "0" * 31, "NULL", "F" * 32, "é"])
@pytest.mark.parametrize(("operation", "more"), OF_A_VERSION)
def test_what_no_version_is_called_is_an_invalid_argument(
    s3: Any, bucket: str, operation: str, more: dict[str, Any], version: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for key in ("k", "absent"):
        with pytest.raises(ClientError) as caught:
            getattr(s3, operation)(Bucket=bucket, Key=key, VersionId=version, **more)
        told = caught.value.response
        assert told["ResponseMetadata"]["HTTPStatusCode"] == 400
        if operation != "head_object":
            assert told["Error"]["Message"] == "Invalid version id specified"
            assert (told["Error"]["Code"], told["Error"]["ArgumentValue"]) == ("InvalidArgument", version)
    assert body(s3, bucket) == b"x"


def test_a_copy_of_what_no_version_is_called_is_refused(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="l")["UploadId"]
    for version, said in (
        ("x", "Invalid version id specified"),
        ("", "Version id cannot be the empty string"),
    ):
        for more in ("", f"?partNumber=1&uploadId={upload}"):
            source = f"{bucket}/k?versionId={version}"
            status, answer = sent(server, "PUT", f"/{bucket}/l{more}", b"", x_amz_copy_source=source)
            assert (status, f"<Code>InvalidArgument</Code><Message>{said}<" in answer.decode()) == (400, True)


def test_of_many_those_that_no_version_is_called_are_told_as_not_found(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    named = [{"Key": "k", "VersionId": "x"}, {"Key": "k", "VersionId": "0" * 32}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    said = {"Code": "NoSuchVersion", "Message": "The specified version does not exist."}
    assert answer["Errors"] == [named[0] | said]
    assert answer["Deleted"] == [named[1]]
    assert body(s3, bucket) == b"x"


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["put", "hide", "newest", "oldest"]), st.sampled_from("ab"))))
def test_whatever_is_put_hidden_and_deleted_the_newest_version_is_known(
    s3: Any, steps: list[tuple[str, str]]
) -> None:
    bucket = f"steps-{next(_names)}"
    s3.create_bucket(Bucket=bucket)
    versioned(s3, bucket)
    kept: dict[str, list[tuple[str, bool]]] = {"a": [], "b": []}
    for what, key in steps:
        named = {"Bucket": bucket, "Key": key}
        if what == "put":
            kept[key].insert(0, (s3.put_object(**named, Body=b"")["VersionId"], False))
        elif what == "hide":
            kept[key].insert(0, (s3.delete_object(**named)["VersionId"], True))
        elif kept[key]:
            version, _ = kept[key].pop(0 if what == "newest" else -1)
            s3.delete_object(**named, VersionId=version)
    rows = [
        (key, version, place == 0, marker)
        for key, versions in kept.items()
        for place, (version, marker) in enumerate(versions)
    ]
    assert sorted(listed(s3, bucket)) == sorted(rows)
    assert sorted(listed(s3, bucket, PaginationConfig={"PageSize": 1})) == sorted(rows)
    shown = [key for key, versions in kept.items() if versions and not versions[0][1]]
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket).get("Contents", ())] == shown


def test_a_marker_of_an_older_store_is_one(server: Any, s3: Any, bucket: str) -> None:
    versioned(s3, bucket)
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]

    def store_as_before(tx: Any) -> None:
        place = object_place(tx.get(BUCKETS, bucket).id, "k")
        tx.put(OBJECTS, place, tx.get(MARKERS, place))
        tx.delete(MARKERS, place)

    server.store.run(store_as_before)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    second = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    rows = [("k", first, False, False), ("k", marker, False, True), ("k", second, True, True)]
    assert sorted(listed(s3, bucket)) == sorted(rows)
    server.store.run(store_as_before)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert listed(s3, bucket) == [("k", first, True, False)]
