"""Pages of other origins: what a browser asks before, and what it is told with every answer."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

PAGE = "https://app.example.com"
RULES = [
    {
        "AllowedOrigins": ["https://*.example.com", "https://example.org"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 60,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]},
]


@pytest.fixture
def ruled(s3: Any, bucket: str) -> str:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    return bucket


def ask(server: Any, path: str, method: str = "OPTIONS", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    try:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        told = {name.lower(): text for name, text in answer.getheaders()}
        return answer.status, told, answer.read().decode()
    finally:
        connection.close()


def crossing(told: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in told.items() if name.startswith("access-control-")}


def test_a_preflight_tells_what_the_first_rule_that_fits_allows(server: Any, ruled: str) -> None:
    before = len(server.events())
    status, told, body = ask(
        server,
        f"/{ruled}/key",
        Origin=PAGE,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="Content-Type, X-Amz-Meta-Colour",
    )
    assert (status, body) == (200, "")
    assert crossing(told) == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "content-type, x-amz-meta-colour",
        "access-control-expose-headers": "ETag, x-amz-version-id",
        "access-control-max-age": "60",
    }
    assert told["vary"] == "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    status, told, _ = ask(server, f"/{ruled}", Origin="http://other", Access_Control_Request_Method="GET")
    assert (status, told["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in told
    assert len(server.events()) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://other", "Access_Control_Request_Method": "PUT"},
        {"Origin": PAGE, "Access_Control_Request_Method": "DELETE"},
        {
            "Origin": PAGE,
            "Access_Control_Request_Method": "PUT",
            "Access_Control_Request_Headers": "if-match",
        },
        {"Origin": "https://example.org.evil", "Access_Control_Request_Method": "PUT"},
        {"Origin": "http://app.example.com", "Access_Control_Request_Method": "PUT"},
    ],
)
def test_what_no_rule_allows_is_refused(server: Any, ruled: str, headers: dict[str, str]) -> None:
    status, told, body = ask(server, f"/{ruled}/key", **headers)
    assert status == 403
    assert "<Code>AccessForbidden</Code>" in body
    assert crossing(told) == {}


def test_a_preflight_must_say_what_it_asks(server: Any, ruled: str) -> None:
    assert ask(server, f"/{ruled}/key")[0] == 400
    assert ask(server, f"/{ruled}/key", Origin=PAGE)[0] == 400


def test_a_bucket_without_rules_or_that_is_not_there_allows_nothing(server: Any, bucket: str) -> None:
    asked = {"Origin": PAGE, "Access_Control_Request_Method": "GET"}
    status, _, body = ask(server, f"/{bucket}/key", **asked)
    assert (status, "CORS is not enabled for this bucket" in body) == (403, True)
    status, _, body = ask(server, "/no-such-bucket/key", **asked)
    assert (status, "Bucket not found" in body) == (403, True)
    assert ask(server, "/%ff/", **asked)[0] in {400, 403}


def test_a_bucket_before_the_host_is_asked_likewise(server: Any, ruled: str) -> None:
    asked = {"Origin": PAGE, "Access_Control_Request_Method": "GET"}
    status, told, _ = ask(server, "/", Host=f"{ruled}.localhost:{server.port}", **asked)
    assert (status, told["access-control-allow-origin"]) == (200, PAGE)


def test_answers_and_refusals_tell_the_browser_that_the_page_may_see_them(
    server: Any, s3: Any, ruled: str, made: Any
) -> None:
    s3.put_object(Bucket=ruled, Key="key", Body=b"body")
    signing = made(config=Config(signature_version="s3v4"))
    url = signing.generate_presigned_url("get_object", Params={"Bucket": ruled, "Key": "key"})
    path = url.removeprefix(server.url)
    status, told, body = ask(server, path, "GET", Origin=PAGE)
    assert (status, body) == (200, "body")
    assert told["access-control-allow-origin"] == PAGE
    assert told["access-control-expose-headers"] == "ETag, x-amz-version-id"
    status, told, _ = ask(server, f"/{ruled}/key", "GET", Origin=PAGE)
    assert (status, told["access-control-allow-origin"]) == (403, PAGE)
    status, told, _ = ask(server, path, "GET")
    assert (status, crossing(told)) == (200, {})
    s3.delete_bucket_cors(Bucket=ruled)
    status, told, _ = ask(server, path, "GET", Origin=PAGE)
    assert (status, crossing(told)) == (200, {})


@pytest.mark.parametrize(
    "rule",
    [
        {"AllowedOrigins": ["http://*.*"], "AllowedMethods": ["GET"]},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*-*"]},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ExposeHeaders": ["x-*"]},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]},
    ],
)
def test_rules_that_make_no_sense_are_refused(s3: Any, bucket: str, rule: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
