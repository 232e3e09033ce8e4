"""A page of a listing reads about what it tells, however much lies before it, behind it and under a common prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from keystead.services.s3 import listing
from keystead.services.s3.tables import (
    BUCKETS,
    OBJECTS,
    PARTS,
    UPLOADS,
    VERSIONS,
    Bucket,
    Envelope,
    Part,
    Upload,
    Version,
    object_place,
    part_place,
    version_place,
)
from keystead.services.s3.walking import FEWEST, Walk
from keystead.storage.rows import Rows
from keystead.testing.server import RunningServer

MANY = 3000
OWN = Envelope(algorithm="AES256")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server whose store is filled beside it, so its evidence is not looked at."""
    with RunningServer() as running:
        yield running


class Count:
    """How many rows were read."""

    def __init__(self) -> None:
        self.rows = 0

    def of(self, call: Any, **named: Any) -> tuple[Any, int]:
        """What a call answers, and how many rows it read."""
        self.rows = 0
        return call(**named), self.rows


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    counted, read = Count(), Rows.read_rows

    def reading(rows: Rows, table: Any, start: bytes, end: bytes, limit: int | None) -> Any:
        found = read(rows, table, start, end, limit)
        counted.rows += len(found) if table.name.startswith("s3_") else 0
        return found

    monkeypatch.setattr(Rows, "read_rows", reading)
    return counted


def stamp(number: int) -> str:
    return f"{number:032x}"


def version(number: int, **members: Any) -> Version:
    return Version(id=stamp(number), stamp=stamp(number), modified=0.0, **members)


@pytest.fixture(scope="module")
def large(server: Any, s3: Any) -> str:
    """Many keys under one prefix and then some, many versions of one key, many uploads, and one with many parts."""
    s3.create_bucket(Bucket="large")

    def fill(tx: Any) -> Bucket:
        bucket = msgspec.structs.replace(tx.get(BUCKETS, "large"), versioning="Enabled")
        tx.put(BUCKETS, "large", bucket)
        for number in range(MANY):
            tx.put(OBJECTS, object_place(bucket.id, f"many/{number:05d}"), version(0))
            tx.put(VERSIONS, version_place(bucket.id, "much", stamp(number + 1)), version(number + 1))
            upload = Upload(id=stamp(number), bucket="large", key=f"up/{number:05d}", begun=0.0, envelope=OWN)
            tx.put(UPLOADS, version_place(bucket.id, upload.key, upload.id), upload)
            part = Part(number=number + 1, blob="", size=0, etag="", modified=0.0)
            tx.put(PARTS, part_place(stamp(0), number + 1), part)
        for key in ("a", "much", "z"):
            tx.put(OBJECTS, object_place(bucket.id, key), version(0))
        return bucket

    server.store.run(fill)
    return "large"


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_what_lies_under_a_common_prefix_is_not_read(
    s3: Any, large: str, count: Count, operation: str
) -> None:
    page, rows = count.of(getattr(s3, operation), Bucket=large, Delimiter="/")
    assert [row["Key"] for row in page["Contents"]] == ["a", "much", "z"]
    assert [row["Prefix"] for row in page["CommonPrefixes"]] == ["many/"]
    assert rows <= 3 * FEWEST


@pytest.mark.parametrize(("prefix", "marker"), [("many/", "many/01499"), ("", "many/01499")])
def test_a_page_reads_what_it_tells(s3: Any, large: str, count: Count, prefix: str, marker: str) -> None:
    page, rows = count.of(s3.list_objects_v2, Bucket=large, Prefix=prefix, StartAfter=marker, MaxKeys=10)
    assert [row["Key"] for row in page["Contents"]] == [f"many/{number:05d}" for number in range(1500, 1510)]
    assert rows == 11


def test_a_page_of_versions_reads_what_it_tells(s3: Any, large: str, count: Count) -> None:
    page, rows = count.of(s3.list_object_versions, Bucket=large, KeyMarker="many/01499", MaxKeys=10)
    assert [row["Key"] for row in page["Versions"]] == [f"many/{number:05d}" for number in range(1500, 1510)]
    assert rows <= 2 * 11
    markers = {"KeyMarker": "much", "VersionIdMarker": stamp(1500)}
    page, rows = count.of(s3.list_object_versions, Bucket=large, MaxKeys=10, **markers)
    assert [row["VersionId"] for row in page["Versions"]] == [stamp(number) for number in range(1501, 1511)]
    assert rows <= 11 + FEWEST


def test_versions_under_a_common_prefix_are_not_read(s3: Any, large: str, count: Count) -> None:
    page, rows = count.of(s3.list_object_versions, Bucket=large, Delimiter="c", Prefix="mu")
    assert [row["Prefix"] for row in page["CommonPrefixes"]] == ["muc"]
    assert rows <= 2 * FEWEST
    page, rows = count.of(s3.list_object_versions, Bucket=large, Delimiter="/", MaxKeys=2)
    assert [row["Prefix"] for row in page["CommonPrefixes"]] == ["many/"]
    assert page["NextKeyMarker"] == "many/"
    assert rows <= 3 * FEWEST
    page = s3.list_object_versions(Bucket=large, Delimiter="/", KeyMarker="many/", MaxKeys=2)
    assert [row["VersionId"] for row in page["Versions"]] == [stamp(0), stamp(1)]


def test_a_page_of_parts_reads_what_it_tells(s3: Any, large: str, count: Count) -> None:
    named = {"Bucket": large, "Key": "up/00000", "UploadId": stamp(0)}
    page, rows = count.of(s3.list_parts, **named, PartNumberMarker=1500, MaxParts=10)
    assert [row["PartNumber"] for row in page["Parts"]] == list(range(1501, 1511))
    assert rows == 11
    assert "Parts" not in s3.list_parts(**named, PartNumberMarker=100_000)


def test_a_page_of_uploads_reads_what_it_tells(s3: Any, large: str, count: Count) -> None:
    page, rows = count.of(s3.list_multipart_uploads, Bucket=large, KeyMarker="up/01499", MaxUploads=10)
    assert [row["Key"] for row in page["Uploads"]] == [f"up/{number:05d}" for number in range(1500, 1510)]
    assert rows == 11
    page, rows = count.of(s3.list_multipart_uploads, Bucket=large, Delimiter="/")
    assert [row["Prefix"] for row in page["CommonPrefixes"]] == ["up/"]
    assert rows <= 2 * FEWEST


@pytest.mark.parametrize(
    "last", ["\U0010ffff", "\U0010ffff\U0010ffff", "a\U0010ffff", "a\ud7ff", "\x01", "a\x01b"]
)
def test_what_begins_alike_is_passed_over_whatever_it_is(
    server: Any, s3: Any, bucket: str, last: str
) -> None:
    keys = sorted(
        [last, *(f"{last}{number}" for number in range(40)), f"{last}\U0010ffff", "b", "\x02", "\ue000"],
        key=str.encode,
    )
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    tx = server.store.transaction()
    walk = Walk(tx, OBJECTS, tx.get(BUCKETS, bucket), "")
    told = []
    for key, _ in walk:
        told.append(key)
        if key.startswith(last):
            walk.skip(last)
    others = [key for key in keys if not key.startswith(last)]
    assert told == sorted([*others, last], key=str.encode)


@pytest.fixture(scope="module")
def marked(server: Any, s3: Any) -> str:
    """Many delete markers, and a key behind them under what they have in common, and one beside."""
    s3.create_bucket(Bucket="marked")

    def fill(tx: Any) -> None:
        bucket = msgspec.structs.replace(tx.get(BUCKETS, "marked"), versioning="Enabled")
        tx.put(BUCKETS, "marked", bucket)
        for number in range(350):
            tx.put(OBJECTS, object_place(bucket.id, f"m/{number:05d}"), version(0, marker=True))
        for key in ("m/99999", "z"):
            tx.put(OBJECTS, object_place(bucket.id, key), version(0))

    server.store.run(fill)
    return "marked"


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("most", [1, 1000])
def test_pages_over_many_delete_markers_tell_everything(
    s3: Any, marked: str, monkeypatch: pytest.MonkeyPatch, operation: str, delimiter: str, most: int
) -> None:
    monkeypatch.setattr(listing, "MOST_MARKERS", 100)
    pages = list(
        s3.get_paginator(operation).paginate(
            Bucket=marked, Delimiter=delimiter, PaginationConfig={"PageSize": most}
        )
    )
    keys = [row["Key"] for page in pages for row in page.get("Contents", ())]
    prefixes = [row["Prefix"] for page in pages for row in page.get("CommonPrefixes", ())]
    assert (keys, prefixes) == ((["z"], ["m/"]) if delimiter else (["m/99999", "z"], []))


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_a_page_passes_over_so_many_delete_markers_and_no_more(
    s3: Any, marked: str, count: Count, monkeypatch: pytest.MonkeyPatch, delimiter: str
) -> None:
    monkeypatch.setattr(listing, "MOST_MARKERS", 100)
    named = {"Bucket": marked, "Delimiter": delimiter, "MaxKeys": 10}
    page, rows = count.of(s3.list_objects_v2, **named)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, True)
    assert rows <= 2 * 100
    following, rows = count.of(s3.list_objects_v2, **named, ContinuationToken=page["NextContinuationToken"])
    assert (following["KeyCount"], following["IsTruncated"]) == (0, True)
    assert rows <= 2 * 100


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_delete_markers_are_not_read_to_list_what_is_there(
    server: Any, s3: Any, bucket: str, count: Count, operation: str, delimiter: str
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="z", Body=b"there")
    keys = [f"m/{number:05d}" for number in range(8 * FEWEST)]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    page, rows = count.of(getattr(s3, operation), Bucket=bucket, Delimiter=delimiter)
    assert [row["Key"] for row in page["Contents"]] == ["z"]
    assert ("CommonPrefixes" in page, page["IsTruncated"]) == (False, False)
    assert rows <= FEWEST
    told = s3.list_object_versions(Bucket=bucket)
    assert [row["Key"] for row in told["DeleteMarkers"]] == keys
    assert [row["Key"] for row in told["Versions"]] == ["z"]
