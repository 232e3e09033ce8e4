"""Listings: order, pages, prefixes, delimiters, compared with what a list in memory gives."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

KEYS = [
    "a",
    "a/1",
    "a/2",
    "a/b/1",
    "a-",
    "b",
    "c/",
    "c/x",
    "c0",
    "d//e",
    "ü/1",
    "ü/2",
    "\U00010400",
    "\uffee",
    "z z+",
]
IN_ORDER = sorted(KEYS, key=str.encode)


@pytest.fixture(scope="module")
def full(s3: Any) -> str:
    s3.create_bucket(Bucket="full")
    for key in KEYS:
        s3.put_object(Bucket="full", Key=key, Body=b"")
    return "full"


def expected(prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    keys, prefixes = [], []
    for key in IN_ORDER:
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            keys.append(key)
        elif key[: end + len(delimiter)] not in prefixes:
            prefixes.append(key[: end + len(delimiter)])
    return keys, prefixes


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("c/", ""), ("x", "/"), ("d/", "/")],
)
def test_pages_have_everything_once_and_in_order(
    s3: Any, full: str, operation: str, size: int, prefix: str, delimiter: str
) -> None:
    keys: list[str] = []
    prefixes: list[str] = []
    pages = s3.get_paginator(operation).paginate(
        Bucket=full, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
    )
    for page in pages:
        found = [row["Key"] for row in page.get("Contents", ())]
        common = [row["Prefix"] for row in page.get("CommonPrefixes", ())]
        assert len(found) + len(common) <= size
        keys += found
        prefixes += common
    assert (keys, prefixes) == expected(prefix, delimiter)


def test_a_listing_starts_after_a_key(s3: Any, full: str) -> None:
    found = s3.list_objects_v2(Bucket=full, StartAfter="b")["Contents"]
    assert [row["Key"] for row in found] == IN_ORDER[IN_ORDER.index("b") + 1 :]


def test_a_token_of_nobody_is_refused(s3: Any, full: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket=full, ContinuationToken="%%%")
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_many_keys_below_one_prefix_are_passed_over(s3: Any, bucket: str, server: Any) -> None:
    for number in range(30):
        s3.put_object(Bucket=bucket, Key=f"many/{number:03d}", Body=b"")
    s3.put_object(Bucket=bucket, Key="many0", Body=b"")
    answer = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [row["Key"] for row in answer["Contents"]] == ["many0"]
    assert [row["Prefix"] for row in answer["CommonPrefixes"]] == ["many/"]
