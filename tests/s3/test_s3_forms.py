"""Uploads by forms, as a browser sends them; the policies are those that boto3 signs."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
LONG = bytes(range(256)) * 12_000


def body_of(fields: dict[str, str], file: bytes | None, filename: str = "cat.png", end: str = "--") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    if file is not None:
        head = (
            f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: image/png'
        )
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + file + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}{end}\r\n".encode()


class Answer:
    def __init__(self, got: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.text = got.status, got.headers, got.read().decode()

    @property
    def code(self) -> str:
        return self.text.partition("<Code>")[2].partition("</Code>")[0]


def send(server: Any, path: str, body: bytes, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    try:
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        connection.request("POST", path, body, kind | headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture
def form(made: Any, bucket: str) -> Any:
    """What makes the fields of a form, with a policy that the root signed."""

    def make(
        key: str = "k", fields: dict[str, str] | None = None, more: Any = (), signer: Any = None
    ) -> dict[str, str]:
        client = made(signer, config=Config(signature_version="s3v4"))
        own = fields or {}
        conditions = [*({name: text} for name, text in own.items()), *more]
        post = client.generate_presigned_post(bucket, key, Fields=dict(own), Conditions=conditions)
        return dict(post["fields"])

    return make


def test_a_file_is_there_with_what_its_fields_say(server: Any, s3: Any, bucket: str, form: Any) -> None:
    fields = form(
        "cats/${filename}", {"Content-Type": "image/png", "x-amz-meta-colour": "grün", "acl": "private"}
    )
    answer = send(server, f"/{bucket}", body_of(fields, LONG, "C:\\pictures\\cat.png"))
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["Location"].endswith(f"/{bucket}/cats%2Fcat.png")
    found = s3.get_object(Bucket=bucket, Key="cats/cat.png")
    assert (found["Body"].read(), found["ContentType"]) == (LONG, "image/png")
    assert answer.headers["ETag"] == found["ETag"]
    (event,) = [
        x for x in server.events() if (x.get("requestParameters") or {}).get("key") == "cats/cat.png"
    ][:1]
    assert (event["eventName"], event["userIdentity"]["type"]) == ("PostObject", "Root")


def test_forms_that_boto3_signs_by_itself_are_taken(server: Any, s3: Any, bucket: str, made: Any) -> None:
    tags = TAGS("<Tag><Key>kind</Key><Value>cat</Value></Tag>")
    post = made(config=Config(signature_version="s3")).generate_presigned_post(
        bucket, "k", Fields={"tagging": tags}, Conditions=[{"tagging": tags}, ["content-length-range", 1, 9]]
    )
    assert "AWSAccessKeyId" in post["fields"]
    assert send(server, f"/{bucket}", body_of(post["fields"], b"by form")).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"by form"
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "kind", "Value": "cat"}]
    for changes in ({"key": "l"}, {"signature": "x"}, {"acl": "private"}):
        refused = send(server, f"/{bucket}", body_of({**post["fields"], **changes}, b"x"))
        assert (refused.status, refused.code in {"AccessDenied", "SignatureDoesNotMatch"}) == (403, True)


@pytest.mark.parametrize("size", [0, 1, 70_000, 1_500_000])
def test_files_of_any_size_arrive_whole(server: Any, s3: Any, bucket: str, form: Any, size: int) -> None:
    tricky = (b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n-") * (size // 20 + 1)
    file = tricky[:size]
    assert send(server, f"/{bucket}", body_of(form(), file)).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == file


def test_a_form_says_how_it_is_answered(server: Any, bucket: str, form: Any) -> None:
    answer = send(server, f"/{bucket}", body_of(form("a&b", {"success_action_status": "201"}), b"x"))
    assert answer.status == 201
    assert f"<Bucket>{bucket}</Bucket><Key>a&amp;b</Key>" in answer.text
    assert (
        send(server, f"/{bucket}", body_of(form("k", {"success_action_status": "200"}), b"x")).status == 200
    )
    there = {"success_action_redirect": "https://example.com/done?x=1"}
    answer = send(server, f"/{bucket}", body_of(form("k", there), b"x"))
    assert answer.status == 303
    assert answer.headers["Location"].startswith(
        f"https://example.com/done?x=1&bucket={bucket}&key=k&etag=%22"
    )
    for nowhere in ("javascript:alert(1)", "//example.com", "https://example.com/\u00fc"):
        fields = form("k", {"success_action_redirect": nowhere})
        assert send(server, f"/{bucket}", body_of(fields, b"x")).status == 204


def test_a_bucket_before_the_host_takes_forms(server: Any, s3: Any, bucket: str, form: Any) -> None:
    answer = send(server, "/", body_of(form(), b"body"), Host=f"{bucket}.localhost:{server.port}")
    assert answer.status == 204
    assert urlsplit(answer.headers["Location"]).path == "/k"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


def test_a_page_is_told_that_it_may_see_the_answer(server: Any, s3: Any, bucket: str, form: Any) -> None:
    rules = [{"AllowedOrigins": ["*"], "AllowedMethods": ["POST"]}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    answer = send(server, f"/{bucket}", body_of(form(), b"x"), Origin="https://example.com")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"key": "other"}, (403, "AccessDenied")),
        ({"x-amz-meta-more": "1"}, (403, "AccessDenied")),
        ({"Content-Type": "text/html"}, (403, "AccessDenied")),
        ({"x-amz-signature": "0" * 64}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-signature": "\u00fc"}, (403, "SignatureDoesNotMatch")),
        ({"policy": base64.b64encode(b"{}").decode()}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-credential": "AKIAUNKNOWN/20300101/us-east-1/s3/aws4_request"}, (403, "InvalidAccessKeyId")),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, (400, "InvalidArgument")),
        ({"x-amz-signature": None}, (400, "InvalidArgument")),
        ({"key": None}, (400, "InvalidArgument")),
        ({"policy": None, "x-amz-signature": None}, (403, "AccessDenied")),
        ({"tagging": "<Tagging/>"}, (400, "MalformedXML")),
        ({"tagging": "<Tagging><TagSet/></Tagging>"}, (403, "AccessDenied")),
        ({"x-ignore-it": "1"}, (204, "")),
    ],
)
def test_a_form_that_is_not_the_signed_one_is_refused(
    server: Any, s3: Any, bucket: str, form: Any, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    fields = {name: text for name, text in {**form(), **changes}.items() if text is not None}
    answer = send(server, f"/{bucket}", body_of(fields, b"x"))
    assert (answer.status, answer.code) == expected
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == (1 if expected[0] == 204 else 0)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(9, "EntityTooSmall"), (10, ""), (20, ""), (21, "EntityTooLarge"), (3_000_000, "EntityTooLarge")],
)
def test_the_policy_says_how_large_a_file_may_be(
    server: Any, bucket: str, form: Any, size: int, expected: str
) -> None:
    fields = form(more=[["content-length-range", 10, 20]])
    assert send(server, f"/{bucket}", body_of(fields, bytes(size))).code == expected


def test_who_signed_must_be_allowed_and_others_get_in_by_the_buckets_policy_only(
    server: Any, s3: Any, bucket: str, form: Any
) -> None:
    nobody = form(signer=server.user(f"nobody-{bucket}"))
    assert send(server, f"/{bucket}", body_of(nobody, b"x")).code == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    opened = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{bucket}/in/*",
                "Condition": {"StringEquals": {"s3:authType": "POST"}},
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(opened))
    assert send(server, f"/{bucket}", body_of({"key": "in/a"}, b"x")).status == 204
    assert send(server, f"/{bucket}", body_of({"key": "out/a"}, b"x")).code == "AccessDenied"
    sneaky = {"key": "in/b", "x-amz-copy-source": f"{bucket}/in/a"}
    assert send(server, f"/{bucket}", body_of(sneaky, b"own")).status == 204
    assert s3.get_object(Bucket=bucket, Key="in/b")["Body"].read() == b"own"


def test_temporary_credentials_sign_forms_until_they_end(server: Any, bucket: str, form: Any) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    person = server.assume(server.role(f"page-{bucket}", policies={"all": document}))
    fields = form(signer=person)
    answer = send(server, f"/{bucket}", body_of(fields, b"x"))
    assert answer.status == 204
    assert send(server, f"/{bucket}", body_of({**fields, "x-amz-security-token": "x"}, b"x")).status in {
        400,
        403,
    }


def test_a_policy_that_has_expired_lets_nobody_in(made: Any, server: Any, bucket: str) -> None:
    client = made(config=Config(signature_version="s3v4"))
    post = client.generate_presigned_post(bucket, "k", ExpiresIn=-1)
    answer = send(server, f"/{bucket}", body_of(post["fields"], b"x"))
    assert (answer.status, "Policy expired" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "IncompleteBody"),
        (b"no form", "IncompleteBody"),
        (body_of({"key": "k"}, None), "IncorrectNumberOfFilesInPostRequest"),
        (body_of({"key": "k" * 30_000}, b"x"), "MaxPostPreDataLengthExceeded"),
        (body_of({f"f{number}": "v" * 100 for number in range(300)}, b"x"), "MaxPostPreDataLengthExceeded"),
        (
            f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--{BOUNDARY}--".encode(),
            "MalformedPOSTRequest",
        ),
        (body_of({"key": "k"}, b"x").replace(b'"key"', b'"\xff"'), "MalformedPOSTRequest"),
        (body_of({"key": "k"}, b"x")[:-60], "IncompleteBody"),
    ],
)
def test_what_is_no_form_is_refused(server: Any, s3: Any, bucket: str, body: bytes, expected: str) -> None:
    answer = send(server, f"/{bucket}", body)
    assert (answer.status, answer.code) in {(400, expected), (403, "AccessDenied")}
    if answer.code == "AccessDenied":
        assert expected == "IncompleteBody"  # who may not put is not asked for the rest of the file
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_form_that_is_cut_off_leaves_no_object(server: Any, s3: Any, bucket: str, form: Any) -> None:
    answer = send(server, f"/{bucket}", body_of(form(), LONG)[:-60])
    assert (answer.status, answer.code) == (400, "IncompleteBody")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_forms_that_never_come_to_their_file_keep_nobody_else_waiting(
    server: Any, s3: Any, bucket: str, form: Any
) -> None:
    whole = body_of(form(), b"x")
    head = (
        f"POST /{bucket} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(whole)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    ).encode()
    slow = [
        socket.create_connection(("127.0.0.1", server.port), source_address=(f"127.0.0.{2 + number % 10}", 0))
        for number in range(70)
    ]
    for connection in slow:
        connection.sendall(head + whole[:100])
    s3.put_object(Bucket=bucket, Key="other", Body=b"body")
    assert s3.get_object(Bucket=bucket, Key="other")["Body"].read() == b"body"
    for connection in slow[1:]:
        connection.close()
    with slow[0] as first:
        first.sendall(whole[100:])
        assert first.recv(1000).startswith(b"HTTP/1.1 204")


TAGS = "<Tagging><TagSet>{}</TagSet></Tagging>".format
TAG = "<Tag><Key>{}</Key><Value>{}</Value></Tag>".format


def test_a_form_brings_tags_to_whoever_may_give_them(server: Any, s3: Any, bucket: str, form: Any) -> None:
    document = TAGS(TAG("colour", "red + blue") + TAG("k=1", ""))
    fields = form("k", {"tagging": document})
    assert send(server, f"/{bucket}", body_of(fields, b"x")).status == 204
    (row,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    told = s3.get_object_tagging(Bucket=bucket, Key=row["Key"])["TagSet"]
    assert told == [{"Key": "colour", "Value": "red + blue"}, {"Key": "k=1", "Value": ""}]
    writing = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    signer = server.user(f"untagging-{bucket}", {"p": {"Version": "2012-10-17", "Statement": [writing]}})
    assert send(server, f"/{bucket}", body_of(form(signer=signer), b"x")).status == 204
    refused = form("k", {"tagging": document}, signer=signer)
    assert send(server, f"/{bucket}", body_of(refused, b"x")).code == "AccessDenied"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<Tagging", "MalformedXML"),
        ("<TagSet/>", "MalformedXML"),
        (TAGS(TAG("a", "1") + TAG("a", "2")), "InvalidTag"),
        (TAGS(TAG("", "1")), "InvalidTag"),
        (TAGS(TAG("aws:a", "1")), "InvalidTag"),
        (TAGS("".join(TAG(str(number), "") for number in range(11))), "BadRequest"),
        ('<!DOCTYPE t [<!ENTITY a "b">]>' + TAGS(TAG("&a;", "")), "MalformedXML"),
    ],
)
def test_tags_that_no_object_has_are_refused_in_forms(
    server: Any, bucket: str, form: Any, document: str, code: str
) -> None:
    fields = form("k", {"tagging": document})
    assert send(server, f"/{bucket}", body_of(fields, b"x")).code == code
