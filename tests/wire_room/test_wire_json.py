"""AWS JSON 1.1: what AWS's own client writes is read, and what is written its client reads."""

from __future__ import annotations

import base64
import json as stdlib
from typing import Any

import botocore.parsers
import botocore.serialize
import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.errors import AccessDenied, InvalidCiphertext, NotFound, Serialization, UnknownOperation
from keystead.wire.model import Rule, Shape
from keystead.wire.models import kms
from keystead.wire.protocols import json
from keystead.wire.validate import validate

MODEL = ServiceModel(Loader().load_service_model("kms", "service-2"), "kms")
SERIALIZER = botocore.serialize.create_serializer("json", include_validation=False)
PARSER = botocore.parsers.create_parser("json")
SCALARS = {
    "string": st.text(st.characters(codec="utf-8"), max_size=8),
    "blob": st.binary(max_size=16),
    "integer": st.integers(-(2**31), 2**31),
    "boolean": st.booleans(),
    "timestamp": st.integers(0, 2**32).map(float),
}


def values(rule: Rule) -> st.SearchStrategy[Any]:
    if rule.shape is not None:
        return structures(rule.shape)
    if rule.kind == "list":
        assert rule.item is not None
        return st.lists(values(rule.item), max_size=2)
    if rule.kind == "map":
        assert rule.key is not None
        assert rule.item is not None
        return st.dictionaries(values(rule.key), values(rule.item), max_size=2)
    return SCALARS[rule.kind]


def structures(shape: type[Shape]) -> st.SearchStrategy[Shape]:
    return st.fixed_dictionaries(
        {}, optional={member.attribute: values(member.rule) for member in shape.MEMBERS}
    ).map(lambda given: shape(**given))


def as_parameters(value: Any) -> Any:
    """A shape as boto3 takes and gives it: nested dictionaries with AWS's names."""
    if isinstance(value, Shape):
        pairs = ((member.name, getattr(value, member.attribute)) for member in value.MEMBERS)
        return {name: as_parameters(item) for name, item in pairs if item is not None}
    if isinstance(value, list):
        return [as_parameters(item) for item in value]
    return value


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_botocore_writes_is_read(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(kms.OPERATIONS)))
    sent = data.draw(structures(kms.OPERATIONS[name].input))
    body = SERIALIZER.serialize_to_request(as_parameters(sent), MODEL.operation_model(name))["body"]
    assert json.decode(kms.SERVICE, name, body) == sent


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_written_botocore_reads(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(n for n, op in kms.OPERATIONS.items() if op.output)))
    shape = kms.OPERATIONS[name].output
    assert shape is not None
    answer = data.draw(structures(shape))
    response = {"status_code": 200, "headers": {}, "body": json.encode(answer)}
    parsed = PARSER.parse(response, MODEL.operation_model(name).output_shape)
    del parsed["ResponseMetadata"]
    parsed = stdlib.loads(stdlib.dumps(parsed, default=plain))
    assert parsed == stdlib.loads(stdlib.dumps(as_parameters(answer), default=plain))


def plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value.timestamp()


def test_an_error_is_read_by_botocore() -> None:
    body = json.encode_error(NotFound("Alias <x> is not found."))
    assert body == b'{"__type":"NotFoundException","message":"Alias <x> is not found."}'
    parsed = PARSER.parse({"status_code": 400, "headers": {}, "body": body}, None)
    assert parsed["Error"] == {"Code": "NotFoundException", "Message": "Alias <x> is not found."}


def test_some_errors_have_no_message() -> None:
    assert json.encode_error(InvalidCiphertext()) == b'{"__type":"InvalidCiphertextException"}'


def test_an_operation_without_an_answer_has_an_empty_body() -> None:
    assert json.encode(None) == b""
    assert json.encode(kms.DeleteCustomKeyStoreResponse()) == b"{}"


def test_absent_members_are_left_out_and_false_is_not() -> None:
    assert json.encode(kms.ListKeysResponse(keys=[], truncated=False)) == b'{"Keys":[],"Truncated":false}'


def test_what_is_lenient_in_aws_is_lenient_here() -> None:
    assert json.decode(kms.SERVICE, "ListKeys", b"") == kms.ListKeysRequest()
    assert json.decode(kms.SERVICE, "ListKeys", b'{"Limit":null,"New":[{"x":1}]}') == kms.ListKeysRequest()
    assert json.decode(kms.SERVICE, "ListKeys", b'{"Limit":1,"Limit":2}') == kms.ListKeysRequest(limit=2)
    imported = json.decode(kms.SERVICE, "ImportKeyMaterial", b'{"ValidTo":1.5e9}')
    assert imported == kms.ImportKeyMaterialRequest(valid_to=1.5e9)


def test_an_unknown_operation() -> None:
    with pytest.raises(UnknownOperation):
        json.decode(kms.SERVICE, "Nothing", b"{}")


@pytest.mark.parametrize(
    ("operation", "body", "said"),
    [
        ("Encrypt", b'{"KeyId":1}', "NUMBER_VALUE can not be converted to a String"),
        ("Encrypt", b'{"KeyId":1.5}', "DECIMAL_VALUE can not be converted to a String"),
        ("Encrypt", b'{"KeyId":true}', "BOOLEAN_VALUE can not be converted to a String"),
        ("Encrypt", b'{"KeyId":{}}', "Start of structure or map found where not expected"),
        ("Encrypt", b'{"KeyId":[]}', "Start of list found where not expected"),
        ("Encrypt", b'{"Plaintext":7}', "NUMBER_VALUE can not be converted to a Blob"),
        ("Encrypt", b'{"GrantTokens":"s3cret"}', "Expected list or null"),
        ("Encrypt", b'{"GrantTokens":[null]}', "NULL_VALUE can not be converted to a String"),
        ("Encrypt", b'{"EncryptionContext":"s3cret"}', "Expected map or null"),
        ("Encrypt", b'{"EncryptionContext":{"s3cret":5}}', "NUMBER_VALUE can not be converted to a String"),
        ("Encrypt", b'{"DryRun":"s3cret"}', "STRING_VALUE can not be converted to a Boolean"),
        ("ListKeys", b'{"Limit":"s3cret"}', "STRING_VALUE can not be converted to an Integer"),
        ("ListKeys", b'{"Limit":1e400}', "Number is out of range"),
        ("ListKeys", b'{"Limit":' + b"9" * 5000 + b"}", "Number is out of range"),
        ("ImportKeyMaterial", b'{"ValidTo":"s3cret"}', "STRING_VALUE can not be converted to a Timestamp"),
        ("Encrypt", b'{"Plaintext":"s3cret"}', "Invalid base64 in a blob"),
        ("Encrypt", b'{"Plaintext":"YQ"}', "Invalid base64 in a blob"),
        ("Encrypt", b"[]", "Start of list found where not expected"),
        ("Encrypt", b"null", "Expected map or null"),
        ("Encrypt", b'"s3cret"', "Expected map or null"),
        ("Encrypt", b"s3cret", "The request body is not valid JSON"),
        ("Encrypt", b'{"KeyId":"s3cret"', "The request body is not valid JSON"),
        ("Encrypt", b'{"KeyId":"s3cret"} x', "The request body is not valid JSON"),
        ("Encrypt", b'{"KeyId":"s3cret\xff"}', "The request body is not valid JSON"),
        ("Encrypt", b'{"Unknown":"s3cret\xff"}', "The request body is not valid JSON"),
        ("Encrypt", b'{"KeyId":"\\ud800"}', "The request body is not valid JSON"),
        ("Encrypt", b'\xef\xbb\xbf{"KeyId":"s3cret"}', "The request body is not valid JSON"),
        ("Encrypt", b"[" * 100_000, "Start of list found where not expected"),
        ("Encrypt", b'{"Z":' + b"[" * 100_000, "The request is nested too deeply"),
        ("Encrypt", b'{"Z":' * 100_000, "The request is nested too deeply"),
        ("Encrypt", b'{"Z":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The request is nested too deeply"),
    ],
    ids=range(31),
)
def test_what_cannot_be_read(operation: str, body: bytes, said: str) -> None:
    with pytest.raises(Serialization) as caught:
        json.decode(kms.SERVICE, operation, body)
    assert caught.value.message == said
    assert caught.value.__context__ is None


@given(st.binary(min_size=6, max_size=40), st.integers(0, 60))
def test_no_message_holds_a_plaintext(secret: bytes, cut: int) -> None:
    """However the plaintext's text is damaged, what is said has no six characters of it."""
    text = base64.b64encode(secret)
    for body in (
        b'{"Plaintext":"' + text[: cut % len(text)] + b'*"}',
        b'{"Plaintext":"' + text,
        b'{"GrantTokens":"' + text + b'"}',
        b'{"EncryptionContext":{"' + text + b'":[]}}',
    ):
        with pytest.raises(Serialization) as caught:
            json.decode(kms.SERVICE, "Encrypt", body)
        seen = repr(caught.value)
        assert not any(text[i : i + 6].decode() in seen for i in range(len(text) - 5))


@settings(max_examples=100)
@given(st.sampled_from(sorted(kms.OPERATIONS)), st.binary(max_size=60))
def test_any_bytes_are_answered(operation: str, body: bytes) -> None:
    try:
        json.decode(kms.SERVICE, operation, body)
    except Serialization as error:
        message = error.message
    else:
        return
    assert message


def test_a_decoded_request_is_validated_as_it_came() -> None:
    body = msgspec.json.encode({"KeyId": "alias/a", "Plaintext": "YQ==", "EncryptionContext": {"k": "v"}})
    request = json.decode(kms.SERVICE, "Encrypt", body)
    validate(request)
    assert request == kms.EncryptRequest(key_id="alias/a", plaintext=b"a", encryption_context={"k": "v"})


def test_a_denial_says_its_message_in_both_spellings():
    assert stdlib.loads(json.encode_error(AccessDenied("no"))) == {
        "__type": "AccessDeniedException",
        "message": "no",
        "Message": "no",
    }
    assert stdlib.loads(json.encode_error(AccessDenied())) == {"__type": "AccessDeniedException"}
