"""Every operation's requests as botocore writes them, and its answers as botocore reads them."""

from __future__ import annotations

from typing import Any

import botocore.parsers
import botocore.serialize
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.wire.http import Request
from keystead.wire.model import Rule, Shape
from keystead.wire.models import iam, kms, organizations, sts
from keystead.wire.protocols import json, query

MODELS = {"iam": iam, "kms": kms, "organizations": organizations, "sts": sts}
BOTOCORE = {name: ServiceModel(Loader().load_service_model(name, "service-2"), name) for name in MODELS}
ID = "01234567-89ab-cdef-0123-456789abcdef"
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=8)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "blob": st.binary(max_size=8),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "timestamp": st.integers(0, 2**32).map(float),
}


def values(rule: Rule) -> st.SearchStrategy[Any]:
    if rule.kind == "structure":
        assert rule.shape is not None
        # AWS Query has no way to write a structure without members inside another: botocore sends nothing of it.
        return structures(rule.shape).filter(has_members)
    if rule.kind == "list":
        assert rule.item is not None
        return st.lists(values(rule.item), max_size=2)
    if rule.kind == "map":
        assert rule.key is not None
        assert rule.item is not None
        return st.dictionaries(values(rule.key), values(rule.item), min_size=1, max_size=2)
    return SIMPLE[rule.kind]


def has_members(value: Shape) -> bool:
    return any(getattr(value, member.attribute) is not None for member in value.MEMBERS)


def structures(shape: type[Shape]) -> st.SearchStrategy[Shape]:
    return st.builds(shape, **{m.attribute: st.none() | values(m.rule) for m in shape.MEMBERS})


def full(shape: type[Shape]) -> Shape:
    """A value with every member, lists and maps with two elements."""
    return shape(**{member.attribute: sample(member.rule, member.name) for member in shape.MEMBERS})


def sample(rule: Rule, name: str) -> Any:
    if rule.shape is not None:
        return full(rule.shape)
    if rule.item is not None and rule.kind == "map":
        return {f"a & {name}": sample(rule.item, name), "b": sample(rule.item, name)}
    if rule.item is not None:
        return [sample(rule.item, f"{name} 1"), sample(rule.item, f"{name} 2")]
    simple = {"blob": b"\x00\xff", "integer": -7, "double": 0.25, "boolean": True, "timestamp": 1.6e9}
    return simple.get(rule.kind, f"<{name}> + \u00e9")


def plain(value: Any) -> Any:
    """As botocore has it: dictionaries by wire names, absent members left out."""
    if isinstance(value, Shape):
        given = {member.name: getattr(value, member.attribute) for member in value.MEMBERS}
        return {name: plain(inner) for name, inner in given.items() if inner is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def rounded(value: Any) -> Any:
    """What botocore parsed, with times as epoch seconds."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value.timestamp() if hasattr(value, "timestamp") else value


def sent(service: str, operation: str, asked: Shape) -> Request:
    model = BOTOCORE[service]
    protocol = MODELS[service].SERVICE.protocol
    written = botocore.serialize.create_serializer(protocol, include_validation=False)
    made = written.serialize_to_request(plain(asked), model.operation_model(operation))
    body = made["body"]
    if isinstance(body, dict):  # the form, which the HTTP client encodes
        body = "&".join(
            f"{botocore.compat.quote(k)}={botocore.compat.quote(str(v))}" for k, v in body.items()
        )
    raw = body.encode() if isinstance(body, str) else body
    return Request("POST", "/", {}, raw, "192.0.2.1", secure=False)


def read(service: str, operation: str, body: bytes) -> Any:
    model = BOTOCORE[service]
    shape = model.operation_model(operation).output_shape
    parser = botocore.parsers.create_parser(MODELS[service].SERVICE.protocol)
    return rounded(parser.parse({"status_code": 200, "headers": {}, "body": body}, shape))


def decoded(service: str, operation: str, request: Request) -> Shape:
    described = MODELS[service].SERVICE
    if described.protocol == "json":
        return json.decode(described, operation, request.body)
    return query.decode(described, operation, query.parameters(request))


def encoded(service: str, operation: str, answer: Shape) -> bytes:
    described = MODELS[service].SERVICE
    if described.protocol == "json":
        return json.encode(answer)
    return query.encode(described, operation, answer, ID)


ASKED = [(service, name) for service, model in MODELS.items() for name in sorted(model.OPERATIONS)]
ANSWERED = [(s, n) for s, n in ASKED if MODELS[s].OPERATIONS[n].output is not None]
MANY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("service", "operation"), ASKED)
def test_a_request_with_every_member_is_read_as_botocore_writes_it(service: str, operation: str) -> None:
    asked = full(MODELS[service].OPERATIONS[operation].input)
    assert decoded(service, operation, sent(service, operation, asked)) == asked


@pytest.mark.parametrize(("service", "operation"), ANSWERED)
def test_an_answer_with_every_member_is_written_as_botocore_reads_it(service: str, operation: str) -> None:
    answer = full(MODELS[service].OPERATIONS[operation].output)
    assert read(service, operation, encoded(service, operation, answer)) == plain(answer)


@pytest.mark.parametrize("service", MODELS)
@MANY
@given(data=st.data())
def test_any_request_is_read_as_botocore_writes_it(service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(sorted(MODELS[service].OPERATIONS)))
    asked = data.draw(structures(MODELS[service].OPERATIONS[operation].input))
    assert decoded(service, operation, sent(service, operation, asked)) == asked


@pytest.mark.parametrize("service", MODELS)
@MANY
@given(data=st.data())
def test_any_answer_is_written_as_botocore_reads_it(service: str, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from([name for owner, name in ANSWERED if owner == service]))
    answer = data.draw(structures(MODELS[service].OPERATIONS[operation].output))
    assert read(service, operation, encoded(service, operation, answer)) == plain(answer)
