"""AWS Query: forms in, XML out."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import botocore.parsers
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import (
    ApiError,
    InternalFailure,
    InvalidSignature,
    Serialization,
    UnknownOperation,
    Validation,
)
from keystead.wire.http import Request
from keystead.wire.model import Empty, Member, OperationShape, Rule, Service, Shape
from keystead.wire.models import sts
from keystead.wire.protocols import query

ID = "01234567-89ab-cdef-0123-456789abcdef"
TEXT = Rule("string")


class Tag(Shape, frozen=True, kw_only=True):
    MEMBERS = (Member("key", "Key", "key", TEXT), Member("value", "Value", "value", TEXT))
    key: str | None = None
    value: str | None = None


class Thing(Shape, frozen=True, kw_only=True):
    MEMBERS = (
        Member("name", "Name", "name", TEXT),
        Member("tags", "Tags", "tags", Rule("list", item=Rule("structure", shape=Tag))),
        Member("flat", "Flat", "flat", Rule("list", item=TEXT, flattened=True)),
        Member("named", "Named", "named", Rule("list", item=TEXT, item_name="Item")),
        Member("pairs", "Pairs", "pairs", Rule("map", key=TEXT, item=TEXT)),
        Member("count", "Count", "count", Rule("integer")),
        Member("share", "Share", "share", Rule("double")),
        Member("on", "On", "on", Rule("boolean")),
        Member("blob", "Blob", "blob", Rule("blob")),
        Member("since", "Since", "since", Rule("timestamp")),
        Member("tag", "Tag", "tag", Rule("structure", shape=Tag)),
    )
    name: str | None = None
    tags: list[Tag] | None = None
    flat: list[str] | None = None
    named: list[str] | None = None
    pairs: dict[str, str] | None = None
    count: int | None = None
    share: float | None = None
    on: bool | None = None
    blob: bytes | None = None
    since: float | None = None
    tag: Tag | None = None


SERVICE = Service(
    "things",
    "query",
    "2020-01-01",
    "",
    "urn:things",
    {
        "PutThing": OperationShape("PutThing", Thing, Thing, (), result="PutThingResult"),
        "Nothing": OperationShape("Nothing", Empty, None, ()),
    },
)
FULL = Thing(
    name="a<b>&\"'\r\n\u00e9",
    tags=[Tag(key="k", value=""), Tag(key="l")],
    flat=["x", "y"],
    named=["z"],
    pairs={"p": "q"},
    count=-3,
    share=0.5,
    on=True,
    blob=b"\x00\xff",
    since=1_600_000_000.0,
    tag=Tag(key="t"),
)
FULL_FIELDS = {
    "Name": "a<b>&\"'\r\n\u00e9",
    "Tags.member.1.Key": "k",
    "Tags.member.1.Value": "",
    "Tags.member.2.Key": "l",
    "Flat.2": "y",
    "Flat.1": "x",
    "Named.Item.1": "z",
    "Pairs.entry.1.key": "p",
    "Pairs.entry.1.value": "q",
    "Count": "-3",
    "Share": "0.5",
    "On": "TRUE",
    "Blob": "AP8=",
    "Since": "2020-09-13T12:26:40Z",
    "Tag.Key": "t",
    "Action": "PutThing",
    "Unknown.member.1": "x",
}


def post(body: bytes, target: str = "/") -> Request:
    return Request("POST", target, {}, body, "192.0.2.1", secure=False)


def test_a_form_is_in_the_body_or_else_in_the_query() -> None:
    assert query.parameters(post(b"Action=A+b&X=%C3%A9&Y=")) == {"Action": "A b", "X": "\u00e9", "Y": ""}
    assert query.parameters(post(b"", "/?Action=A&Version=1")) == {"Action": "A", "Version": "1"}
    assert query.parameters(post(b"Action=A", "/?Action=B")) == {"Action": "A"}
    assert query.parameters(post(b"")) == {}


@pytest.mark.parametrize("body", [b"Action=%FF", b"Action=\xff", b"&".join([b"a=1"] * 3000)])
def test_a_form_that_is_none(body: bytes) -> None:
    with pytest.raises(Serialization) as caught:
        query.parameters(post(body))
    assert caught.value.__context__ is None


def test_every_kind_of_member_is_read() -> None:
    assert query.decode(SERVICE, "PutThing", FULL_FIELDS) == FULL
    assert query.decode(SERVICE, "PutThing", {"Tags": "", "Since": "2020-09-13T12:26:40"}) == Thing(
        tags=[], since=1_600_000_000.0
    )
    assert query.decode(SERVICE, "Nothing", {"Action": "Nothing"}) == Empty()


def test_elements_come_in_the_order_of_their_numbers() -> None:
    fields = {f"Flat.{i}": str(i) for i in (10, 9, 1)}
    assert query.decode(SERVICE, "PutThing", fields) == Thing(flat=["1", "9", "10"])


@pytest.mark.parametrize(
    "fields",
    [
        {"Count": "1.5"},
        {"Count": "1_0"},
        {"Count": "9" * 30},
        {"Count.x": "1"},
        {"Share": "nan"},
        {"Share": "x"},
        {"On": "yes"},
        {"Blob": "*"},
        {"Since": "yesterday"},
        {"Flat": "x"},
        {"Flat.x": "x"},
        {"Tags.member": "x"},
        {"Tags.member.1": "x"},
        {"Pairs": ""},
        {"Pairs.entry.1": "x"},
        {"Pairs.entry.1.key": "x"},
        {"Tag": "x"},
        {"Name": "x", "Name.y": "z"},
        {"Name.y": "z", "Name": "x"},
        {"Name" + ".y" * 1000: "z"},
    ],
    ids=range(20),
)
def test_what_cannot_be_read(fields: dict[str, str]) -> None:
    with pytest.raises(Serialization):
        query.decode(SERVICE, "PutThing", fields)


def test_an_unknown_operation() -> None:
    with pytest.raises(UnknownOperation, match="Could not find operation Nope for version 2011-06-15"):
        query.decode(sts.SERVICE, "Nope", {})


def test_botocore_reads_the_answer_of_get_caller_identity() -> None:
    answer = sts.GetCallerIdentityResponse(
        user_id="AIDA", account="000000000000", arn="arn:aws:iam::0:user/a&b"
    )
    body = query.encode(sts.SERVICE, "GetCallerIdentity", answer, ID)
    assert body.startswith(
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    )
    model = ServiceModel(Loader().load_service_model("sts", "service-2"), "sts")
    parser = botocore.parsers.create_parser("query")
    shape = model.operation_model("GetCallerIdentity").output_shape
    parsed = parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)
    assert parsed["ResponseMetadata"]["RequestId"] == ID
    assert (parsed["UserId"], parsed["Account"], parsed["Arn"]) == (
        "AIDA",
        "000000000000",
        "arn:aws:iam::0:user/a&b",
    )


def test_every_kind_of_member_is_written() -> None:
    root = ET.fromstring(query.encode(SERVICE, "PutThing", FULL, ID))

    def texts(path: str) -> list[Any]:
        return [element.text for element in root.findall(f"{{*}}PutThingResult/{path}")]

    assert texts("{*}Name") == [FULL.name]
    assert texts("{*}Tags/{*}member/{*}Key") == ["k", "l"]
    assert texts("{*}Tags/{*}member/{*}Value") == [None]
    assert texts("{*}Flat") == ["x", "y"]
    assert texts("{*}Named/{*}Item") == ["z"]
    assert texts("{*}Pairs/{*}entry/{*}key") + texts("{*}Pairs/{*}entry/{*}value") == ["p", "q"]
    assert texts("{*}Count") + texts("{*}Share") + texts("{*}On") == ["-3", "0.5", "true"]
    assert texts("{*}Blob") + texts("{*}Since") == ["AP8=", "2020-09-13T12:26:40Z"]
    assert texts("{*}Tag/{*}Key") == ["t"]


def test_an_operation_without_an_answer() -> None:
    root = ET.fromstring(query.encode(SERVICE, "Nothing", None, ID))
    assert [child.tag for child in root] == ["{urn:things}ResponseMetadata"]


@given(st.text(st.characters()))
def test_any_text_makes_well_formed_xml(text: str) -> None:
    root = ET.fromstring(query.encode(SERVICE, "PutThing", Thing(name=text), ID))
    found = root.find("{*}PutThingResult/{*}Name")
    assert found is not None
    assert len(found.text or "") == len(text)
    if text.isprintable():
        assert (found.text or "") == text


@pytest.mark.parametrize(
    ("error", "code", "status", "fault"),
    [
        (InvalidSignature("x"), "SignatureDoesNotMatch", 403, "Sender"),
        (Validation("x"), "ValidationError", 400, "Sender"),
        (InternalFailure("x"), "InternalFailure", 500, "Receiver"),
    ],
)
def test_botocore_reads_errors(error: ApiError, code: str, status: int, fault: str) -> None:
    assert query.code_and_status(sts.SERVICE, error) == (code, status)
    body = query.encode_error(sts.SERVICE, error, ID)
    parser = botocore.parsers.create_parser("query")
    parsed = parser.parse({"status_code": status, "headers": {}, "body": body}, None)
    assert parsed["Error"] == {"Type": fault, "Code": code, "Message": "x"}
    assert parsed["ResponseMetadata"]["RequestId"] == ID


def test_an_error_without_a_message() -> None:
    assert b"<Message>" not in query.encode_error(sts.SERVICE, InternalFailure(), ID)
