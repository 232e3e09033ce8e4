"""Bodies that no client sends: each gets AWS's own error, nothing changes, and the server goes on."""

from __future__ import annotations

import base64
import json

import pytest

pytestmark = pytest.mark.usefixtures("unchanged")

BAD = "SerializationException"
DEEP = 100_000

MALFORMED = {
    "cut off": b'{"KeyId": "a',
    "only a brace": b"{",
    "two objects": b"{} {}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"KeyId": "a"}'.encode("utf-16"),
    "invalid UTF-8 in a value": b'{"KeyId": "\xff\xfe"}',
    "invalid UTF-8 in an unknown member": b'{"Nope": "\xc3("}',
    "overlong UTF-8": b'{"KeyId": "\xc0\xaf"}',
    "a UTF-8 surrogate": b'{"KeyId": "\xed\xa0\x80"}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep in an unknown member": b'{"Nope":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep and cut off": b'{"Nope":' + b"[" * DEEP,
    "a list": b"[]",
    "a text": b'"KeyId"',
    "a number": b"1",
    "nothing": b"null",
    "NaN": b'{"KeyId": NaN}',
    "single quotes": b"{'KeyId': 'a'}",
    "a comment": b'{"KeyId": "a" /* b */}',
    "a trailing comma": b'{"KeyId": "a",}',
    "a control character": b'{"KeyId": "a\nb"}',
    "NUL bytes": bytes(64),
    "a form": b"Action=CreateKey&Version=2014-11-01",
    "XML": b"<CreateKey/>",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("operation", ["CreateKey", "Encrypt"])
def test_what_is_not_one_json_object_is_refused(raw, operation, name):
    answer = raw.call(operation, MALFORMED[name])
    assert answer.error() == (400, BAD)
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-requestid"]


WRONG_TYPES = {
    "number for text": {"KeyId": 1},
    "list for text": {"KeyId": ["a"]},
    "object for text": {"KeyId": {"a": "b"}},
    "boolean for text": {"KeyId": True},
    "number for blob": {"KeyId": "a", "Plaintext": 1},
    "text that is no base64": {"KeyId": "a", "Plaintext": "!"},
    "base64 without padding": {"KeyId": "a", "Plaintext": "YQ"},
    "base64 of the URL kind": {"KeyId": "a", "Plaintext": "-_-_"},
    "text for map": {"KeyId": "a", "Plaintext": "YQ==", "EncryptionContext": "a"},
    "number in a map": {"KeyId": "a", "Plaintext": "YQ==", "EncryptionContext": {"a": 1}},
    "text for list": {"KeyId": "a", "Plaintext": "YQ==", "GrantTokens": "a"},
    "text for boolean": {"KeyId": "a", "Plaintext": "YQ==", "DryRun": "true"},
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_wrong_types_are_named_without_their_values(raw, name):
    answer = raw.call("Encrypt", WRONG_TYPES[name])
    assert answer.error() == (400, BAD)
    assert answer.message


@pytest.mark.parametrize(
    "number", [b"1e400", b"99999999999999999999999999", b"-1e400", b"1.5", b"9223372036854775808"]
)
def test_numbers_beyond_the_wire_type_are_refused(raw, number):
    answer = raw.call("GenerateRandom", b'{"NumberOfBytes": ' + number + b"}")
    assert answer.status == 400
    assert answer.code in {BAD, "ValidationException"}


def test_unknown_members_are_ignored_as_aws_does(raw, key_id):
    body = {"KeyId": key_id, "Fresh": {"from": ["a", "newer", 1, None, {"client": True}]}}
    assert raw.must("DescribeKey", body)["KeyMetadata"]["KeyId"] == key_id


def test_of_a_repeated_member_the_last_counts(raw, key_id):
    body = b'{"KeyId": "nobody", "KeyId": "' + key_id.encode() + b'"}'
    assert raw.must("DescribeKey", body)["KeyMetadata"]["KeyId"] == key_id


def test_a_member_that_is_null_is_absent(raw, key_id):
    assert raw.must("DescribeKey", {"KeyId": key_id, "GrantTokens": None})


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/xml", "multipart/x", ""]
)
def test_the_target_and_not_the_content_type_says_what_a_body_is(raw, key_id, content_type):
    """AWS's JSON services look at X-Amz-Target; whatever is decided, it is an answer of the JSON protocol."""
    answer = raw.call("DescribeKey", {"KeyId": key_id}, headers={"Content-Type": content_type})
    assert answer.status in {200, 400}
    assert isinstance(answer.document, dict)


@pytest.mark.parametrize(
    "target",
    [
        "TrentService.Nope",
        "TrentService.",
        "TrentService",
        "trentservice.CreateKey",
        "TrentService.createkey",
        "TrentService.CreateKey ",
        "TrentService.CreateKey.CreateKey",
        "DynamoDB_20120810.ListTables",
        "TrentService.../../etc/passwd",
        "\xfc" * 50,
        "a" * 4000,
    ],
)
def test_unknown_targets_are_a_json_error(raw, target):
    answer = raw.call(
        None, {}, headers={"X-Amz-Target": target.strip() + ("?" if target != target.strip() else "")}
    )
    assert answer.error() == (400, "UnknownOperationException")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_than_post_do_nothing(raw, method):
    prepared = raw.prepare("CreateKey", {}, method=method)
    if method == "HEAD":
        with raw.connect() as sock:
            sock.sendall(prepared.raw())
            assert sock.recv(65536).startswith(b"HTTP/1.1 4")
        return
    assert raw.send(prepared).status >= 400


@pytest.mark.parametrize("target", ["/CreateKey", "/..", "//", "/%00", "/?Action=CreateKey", "/metrics/../"])
def test_other_paths_do_nothing_that_changes(raw, target):
    answer = raw.send(raw.prepare(None, {}, target=target))
    assert answer.status in {400, 403, 404, 405}


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(raw):
    prepared = raw.prepare("CreateKey", b"{}").with_header("Content-Length", str(1 << 40))
    text = prepared.raw().replace(b"Content-Length: 2\r\n", b"")
    answer = raw.send_raw(text)
    assert answer.error() == (413, "RequestEntityTooLargeException")


def test_a_body_of_a_megabyte_and_one_byte_is_too_large(raw):
    answer = raw.call("CreateKey", b'{"Description": "' + b"a" * (1 << 20) + b'"}')
    assert answer.error() == (413, "RequestEntityTooLargeException")


def test_a_large_body_within_the_limit_is_validated(raw):
    answer = raw.call("CreateKey", {"Description": "a" * 1_000_000})
    assert answer.error() == (400, "ValidationException")
    assert "length less than or equal to 8192" in answer.message


def test_a_million_members_are_read_and_refused(raw):
    tags = [{"TagKey": "k", "TagValue": "v"}] * 20_000
    answer = raw.call("CreateKey", {"Tags": tags})
    assert answer.status == 400


def test_all_violations_are_named_at_once(raw):
    answer = raw.call(
        "CreateKey", {"KeySpec": "NO", "KeyUsage": "NEVER", "Description": "d" * 8193, "Origin": "X"}
    )
    assert answer.error() == (400, "ValidationException")
    assert answer.message.startswith("4 validation errors detected: ")
    for member in ("keySpec", "keyUsage", "description", "origin"):
        assert f"at '{member}' failed to satisfy constraint: Member must" in answer.message


def test_a_blob_is_never_echoed(raw, key_id):
    blob = base64.b64encode(b"a secret that is too long" * 200).decode()
    answer = raw.call("Encrypt", {"KeyId": key_id, "Plaintext": blob})
    assert answer.error() == (400, "ValidationException")
    assert answer.message == (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )


def test_required_members_are_asked_for(raw):
    answer = raw.call("Encrypt", {})
    assert answer.error() == (400, "ValidationException")
    assert "at 'keyId' failed to satisfy constraint: Member must not be null" in answer.message
    assert "at 'plaintext' failed to satisfy constraint: Member must not be null" in answer.message


STRANGE = [
    "\0",
    "a\0b",
    "alias/\0",
    "\ud83d\ude00",
    "/",
    "%",
    "%2F",
    "..",
    "../../../../etc/passwd",
    "arn:aws:kms:us-east-1:000000000000:key/\0",
    "arn:aws:kms:us-east-1:000000000000:key/",
    "arn:aws:kms:us-east-1:000000000000:alias/\0",
    "arn:aws:kms:::",
    "arn:" * 100,
    "'; DROP TABLE kv; --",
    "\u202e",
    "a" * 2048,
    " ",
    "*",
    "alias/" + "\u00e9",
]


@pytest.mark.parametrize(
    "operation",
    [
        "DescribeKey",
        "GetPublicKey",
        "ScheduleKeyDeletion",
        "ListGrants",
        "GetKeyPolicy",
        "DisableKey",
        "EnableKey",
    ],
)
@pytest.mark.parametrize("text", STRANGE)
def test_strange_key_ids_name_no_key(raw, operation, text):
    answer = raw.call(operation, {"KeyId": text})
    assert answer.status == 400
    assert answer.code in {
        "NotFoundException",
        "ValidationException",
        "InvalidArnException",
        "AccessDeniedException",
    }


@pytest.mark.parametrize("text", STRANGE)
def test_strange_alias_names_and_markers_are_refused(raw, key_id, text):
    for answer in (
        raw.call("CreateAlias", {"AliasName": f"alias/\n{text}", "TargetKeyId": key_id}),
        raw.call("ListKeys", {"Marker": text}),
        raw.call("ListAliases", {"Marker": text}),
        raw.call("DeleteAlias", {"AliasName": text}),
        raw.call("ListResourceTags", {"KeyId": key_id, "Marker": text}),
    ):
        assert answer.status == 400, answer.body


def test_a_lone_surrogate_is_no_character(raw):
    answer = raw.call("DescribeKey", b'{"KeyId": "\\ud800"}')
    assert answer.status == 400
    json.loads(answer.body.decode())
