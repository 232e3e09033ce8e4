"""URLs and forms as SDKs sign them that nobody told otherwise: by Signature Version 2."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from keystead.clock import ManualClock
from keystead.testing import RunningServer, allow

V2 = Config(signature_version="s3", retries={"total_max_attempts": 1})


def asked(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Status and body; nothing is sent beside what is said."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=300)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def by_default(server: RunningServer, credential: Any) -> Any:
    """A client as a script makes it, with no word on signatures."""
    return server.client_of(credential, "s3")


def test_what_boto3_signs_by_itself_is_taken(server: RunningServer, bucket: str, s3: Any) -> None:
    signer = by_default(server, server.root())
    there = {"Bucket": bucket, "Key": "a b/ü+&?.txt"}
    put = signer.generate_presigned_url("put_object", there)
    assert "AWSAccessKeyId=" in put
    assert asked(put, "PUT", b"by url")[0] == 200
    get = signer.generate_presigned_url("get_object", there)
    assert asked(get) == (200, b"by url")
    assert asked(signer.generate_presigned_url("head_object", there), "HEAD")[0] == 200
    assert asked(signer.generate_presigned_url("delete_object", there), "DELETE")[0] == 204
    assert asked(get)[0] == 404


def test_what_the_url_says_counts_as_if_headers_said_it(server: RunningServer, bucket: str, s3: Any) -> None:
    signer, key = (
        by_default(server, server.root()),
        server.client_of(server.root(), "kms").create_key()["KeyMetadata"]["Arn"],
    )
    put = signer.generate_presigned_url(
        "put_object",
        {
            "Bucket": bucket,
            "Key": "k",
            "ContentType": "text/plain",
            "Metadata": {"colour": "green"},
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": key,
        },
    )
    assert asked(put, "PUT", b"x")[0] == 200
    found = s3.head_object(Bucket=bucket, Key="k")
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"colour": "green"})
    assert found["SSEKMSKeyId"] == key
    assert asked(put, "PUT", b"x", **{"Content-Type": "text/html"})[0] == 403
    assert asked(put, "PUT", b"x", **{"x-amz-meta-colour": "red"})[0] == 403
    assert asked(put, "PUT", b"x", **{"x-amz-meta-size": "L"})[0] == 403


def test_versions_ranges_and_parts_are_named_by_urls(server: RunningServer, bucket: str, s3: Any) -> None:
    signer = by_default(server, server.root())
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"older")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    told = {"ResponseContentType": "text/csv", "ResponseContentDisposition": 'attachment; filename="a b.csv"'}
    url = signer.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k", "VersionId": old, **told}
    )
    assert asked(url) == (200, b"older")
    assert asked(url, Range="bytes=1-2") == (206, b"ld")
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = signer.generate_presigned_url("upload_part", {**upload, "PartNumber": 1})
    assert asked(part, "PUT", b"one")[0] == 200
    tag = s3.list_parts(**upload)["Parts"][0]["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"one"


@pytest.mark.parametrize("more", ["retention", "legal-hold", "attributes", "tagging", "Range=bytes", "x"])
def test_what_the_signature_does_not_cover_makes_no_other_request_of_it(
    server: RunningServer, bucket: str, s3: Any, more: str
) -> None:
    signer = by_default(server, server.root())
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for method, operation in (("GET", "get_object"), ("PUT", "put_object")):
        url = signer.generate_presigned_url(operation, {"Bucket": bucket, "Key": "k"})
        status, body = asked(f"{url}&{more}", method, b"" if method == "PUT" else None)
        if (method, more) == ("PUT", "attributes"):  # there is no such operation, whoever asks
            assert (status, b"<Code>MethodNotAllowed</Code>" in body) == (405, True)
        else:
            assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)


def test_a_url_is_for_one_object_and_one_method(server: RunningServer, bucket: str, s3: Any) -> None:
    signer = by_default(server, server.root())
    for key in ("k", "l", f"{bucket}/k"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert asked(url.replace("/k?", "/l?"))[0] == 403
    assert asked(url, "DELETE")[0] == 403
    assert asked(url.replace("Expires=", "Expires=1"))[0] == 403
    twice = url + "&Expires=9999999999"
    assert asked(twice)[0] == 403
    # The host would make the same path another object's.
    assert asked(url, Host=f"{bucket}.localhost:{server.port}")[0] == 403
    whole = signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket})
    assert asked(whole)[0] == 403
    copy = {"Bucket": bucket, "Key": "m", "CopySource": f"{bucket}/k"}
    assert asked(signer.generate_presigned_url("copy_object", copy), "PUT", b"")[0] == 403


def test_a_url_ends_and_may_not_last_for_long(server: RunningServer, bucket: str) -> None:
    signer = by_default(server, server.root())
    for seconds, said in ((-1, b"Request has expired"), (8 * 86_400, b"Expires must be less than")):
        url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=seconds)
        status, body = asked(url)
        assert (status, said in body) == (403, True)
    for missing in (
        f"/{bucket}/k?AWSAccessKeyId=a",
        f"/{bucket}/k?AWSAccessKeyId=a&Signature=x&Expires=soon",
    ):
        status, body = asked(server.url + missing)
        assert (status, b"Query-string authentication requires" in body) == (403, True)
    unknown = f"{server.url}/{bucket}/k?AWSAccessKeyId=AKIANOBODY&Signature=x&Expires=1"
    assert b"<Code>InvalidAccessKeyId</Code>" in asked(unknown)[1]


def test_policies_decide_and_see_how_it_is_signed(server: RunningServer, bucket: str, s3: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    there = {"Bucket": bucket, "Key": "k"}
    nobody = by_default(server, server.user(f"v2-nobody-{bucket}"))
    assert asked(nobody.generate_presigned_url("get_object", there))[0] == 403
    reader = by_default(server, server.user(f"v2-{bucket}", {"p": allow("s3:GetObject")}))
    url = reader.generate_presigned_url("get_object", there)
    assert asked(url) == (200, b"x")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"s3:signatureversion": "AWS", "s3:authType": "REST-QUERY-STRING"}},
    }
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert asked(url)[0] == 403
    assert reader.get_object(**there)["Body"].read() == b"x"


def test_headers_by_version_2_are_refused_and_so_is_everything_where_it_is_off(
    server: RunningServer, bucket: str
) -> None:
    status, body = asked(f"{server.url}/{bucket}/k?x", Authorization="AWS AKIA:x")
    assert (status, b"Please use AWS4-HMAC-SHA256" in body) == (400, True)
    with RunningServer(s3_signature_v2=False) as off:
        signer = by_default(off, off.root())
        signer.create_bucket(Bucket="off")
        url = signer.generate_presigned_url("get_object", {"Bucket": "off", "Key": "k"})
        status, body = asked(url)
        assert (status, b"Please use AWS4-HMAC-SHA256" in body) == (400, True)


def test_temporary_credentials_sign_urls_and_forms_until_they_end(tmp_path: Path) -> None:
    with RunningServer(tmp_path, clock=ManualClock(time.time())) as server:
        person = server.assume(server.role("page", policies={"all": allow("s3:*")}))
        signer = by_default(server, person)
        signer.create_bucket(Bucket="pages")
        put = signer.generate_presigned_url("put_object", {"Bucket": "pages", "Key": "k"}, ExpiresIn=86_400)
        assert "x-amz-security-token=" in put
        assert asked(put, "PUT", b"x")[0] == 200
        assert asked(put.replace("x-amz-security-token=", "x-amz-security-token=x"), "PUT", b"x")[0] == 403
        server.advance(13 * 3600)
        status, body = asked(put, "PUT", b"x")
        assert (status, b"<Code>ExpiredToken</Code>" in body) == (400, True)
