"""Input that nobody sends by accident: each gets an error of S3's own, and nothing happens."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_s3 import sent

from keystead import errors
from keystead.testing.server import RunningServer
from keystead.wire.aws_chunked import Decoder
from keystead.wire.xml import parse

BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
OUTSIDE = (
    b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>'
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<Delete>",
        BOMB,
        OUTSIDE,
        BOMB.decode().encode("utf-16"),
        b"<a>" * 1000 + b"</a>" * 1000,
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
        b"<Delete></Delete>",
        b"<Delete><Object><Key>\xff</Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key></Object></Delete><more/>",
    ],
)
def test_documents_that_are_none_are_refused(server: RunningServer, bucket: str, body: bytes) -> None:
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    status, answer = sent(server, "POST", f"/{bucket}?delete=", body, content_md5=md5)
    assert status == 400
    assert (b"<Code>MalformedXML</Code>" if body else b"<Code>MissingRequestBodyError</Code>") in answer


def test_a_document_of_more_than_4_mib_is_not_gathered(server: RunningServer, bucket: str) -> None:
    status, answer = sent(server, "POST", f"/{bucket}?delete=", b" " * (4 * 1024 * 1024 + 1))
    assert (status, b"<Code>EntityTooLarge</Code>" in answer) == (400, True)


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../../etc/passwd",
        "a/../../b",
        "%2e%2e%2f",
        "a//b",
        "a%2fb",
        ".",
        "a%5cb",
        "%F0%9F%94%91",
        "a%0ab",
        "a%01b",
    ],
)
def test_keys_are_names_and_never_paths(server: RunningServer, s3: Any, bucket: str, key: str) -> None:
    assert sent(server, "PUT", f"/{bucket}/{key}", b"x")[0] == 200
    assert sent(server, "GET", f"/{bucket}/{key}") == (200, b"x")
    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read() == b"x"
    kept = [path.name for path in (server.data_dir / "objects").rglob("*") if path.is_file()]
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in kept)


@pytest.mark.parametrize("key", ["a%00b", "%ff", "%c3%28"])
def test_keys_that_are_no_text_are_refused(server: RunningServer, s3: Any, bucket: str, key: str) -> None:
    status, answer = sent(server, "PUT", f"/{bucket}/{key}", b"x")
    assert status == 400, answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content_md5": "x"}, b"InvalidDigest"),
        ({"content_md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, b"BadDigest"),
        ({"x-amz-checksum-crc32": "AAAA"}, b"InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "x"}, b"InvalidRequest"),
        ({"x-amz-checksum-md9": "AAAA"}, b"InvalidRequest"),
        ({"x-amz-content-sha256": "x"}, b"InvalidArgument"),
        ({"x-amz-content-sha256": "0" * 64}, b"XAmzContentSHA256Mismatch"),
        ({"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, b"MissingContentLength"),
        ({"x-amz-server-side-encryption": "rot13"}, b"InvalidArgument"),
        ({"x-amz-server-side-encryption-context": "e30="}, b"InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-context": "!"}, b"InvalidArgument"),
        ({"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "nothing"}, b"KMS.NotFoundException"),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, b"InvalidArgument"),
        ({"x-amz-tagging": "a=1&a=2"}, b"InvalidArgument"),
        ({"x-amz-storage-class": "GLACIER"}, b"InvalidStorageClass"),
        ({"x-amz-meta-a": "x" * 2048}, b"MetadataTooLarge"),
        ({"if-none-match": '"tag"'}, b"NotImplemented"),
    ],
)  # fmt: skip
def test_headers_that_make_no_sense_are_refused(
    server: RunningServer, s3: Any, bucket: str, headers: dict[str, str], code: bytes
) -> None:
    status, answer = sent(server, "PUT", f"/{bucket}/k", b"body", **headers)
    assert status in {400, 411, 501}
    assert b"<Code>" + code + b"</Code>" in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_who_is_denied_hears_it_though_the_body_is_still_coming(
    server: RunningServer, bucket: str, made: Any
) -> None:
    from botocore.exceptions import ClientError

    nobody = made(server.user("large"))
    with pytest.raises(ClientError) as caught:
        nobody.put_object(Bucket=bucket, Key="k", Body=os.urandom(8 * 1024 * 1024))
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", "/b/k"), ("PUT", "/"), ("DELETE", "/"), ("GET", "/x?acl"), ("POST", "/bucket/k"), ("GET", "/no/k?uploadId=x"), ("PUT", "/a%00b")],
)  # fmt: skip
def test_whatever_is_asked_is_answered_as_s3_does(server: RunningServer, method: str, path: str) -> None:
    status, answer = sent(server, method, path)
    assert 400 <= status < 500 or status == 501
    assert answer.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>')


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_xml(document: bytes) -> None:
    with suppress(errors.Serialization):
        parse(document)


@given(st.binary(max_size=300), st.booleans(), st.integers(1, 50))
def test_chunked_bytes_mean_the_same_however_they_are_cut(data: bytes, trailing: bool, size: int) -> None:
    def outcome(pieces: list[bytes]) -> Any:
        decoder, found = Decoder(None, trailing=trailing), b""
        try:
            for piece in pieces:
                found += b"".join(decoder.feed(piece))
        except errors.ApiError as error:
            return type(error)
        return found, decoder.over, decoder.trailers

    whole = outcome([data])
    cut = outcome([data[start : start + size] for start in range(0, len(data), size)])
    assert whole == cut


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.integers(1, 30))
def test_what_is_written_in_chunks_is_read(chunks: list[bytes], size: int) -> None:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    decoder = Decoder(None, trailing=False)
    found = b"".join(
        b"".join(decoder.feed(coded[start : start + size])) for start in range(0, len(coded), size)
    )
    assert (found, decoder.over) == (b"".join(chunks), True)
