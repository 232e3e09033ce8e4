"""What the decoder keeps of a shape's constraints is what `validate` asks, for every operation of the JSON protocol."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.errors import Serialization
from keystead.wire import own
from keystead.wire.http import Request
from keystead.wire.kept import kept
from keystead.wire.model import Rule, Service, Shape
from keystead.wire.models import cloudtrail, kms, organizations
from keystead.wire.pattern import compiled
from keystead.wire.protocols import json
from keystead.wire.validate import violations

SERVICES = (kms.SERVICE, cloudtrail.SERVICE, organizations.SERVICE, own.SERVICE)
OPERATIONS = [(service, name) for service in SERVICES for name in sorted(service.operations)]
ENCRYPT = b'{"KeyId":"a","Plaintext":"YQ=="'


def lengths(rule: Rule, most: int) -> tuple[int, int]:
    """About the lengths that the rule allows, one beyond them included, and no more than `most`."""
    least = max(0, (rule.minimum or 0) - 1)
    greatest = most if rule.maximum is None else min(most, rule.maximum + 1)
    return min(least, greatest), greatest


def strings(rule: Rule) -> st.SearchStrategy[str]:
    least, most = lengths(rule, 300)
    ways = [st.text(st.characters(codec="utf-8"), min_size=least, max_size=most), st.just("a" * most)]
    if rule.enum:
        ways += [st.sampled_from(rule.enum), st.sampled_from([f"{one}\n" for one in rule.enum])]
    if rule.pattern is not None:
        matching = st.from_regex(compiled(rule.pattern), fullmatch=True)
        ways += [
            matching,
            matching,
            matching.map(lambda text: f"{text}\n"),
            matching.map(lambda text: f"x {text}"),
        ]
    return st.one_of(ways).filter(_is_unicode)


def _is_unicode(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


def values(rule: Rule) -> st.SearchStrategy[Any]:
    """Values of the rule's kind, as JSON has them, within its constraints and just beyond them."""
    if rule.shape is not None:
        return bodies(rule.shape)
    if rule.kind == "map":
        assert rule.key is not None
        assert rule.item is not None
        return st.dictionaries(values(rule.key), values(rule.item), max_size=3)
    if rule.item is not None:
        return st.lists(values(rule.item), min_size=0, max_size=3)
    return strings(rule) if rule.kind == "string" else scalars(rule)


def scalars(rule: Rule) -> st.SearchStrategy[Any]:
    """Blobs, truth values and numbers."""
    if rule.kind == "blob":
        least, most = lengths(rule, 70)
        return st.binary(min_size=least, max_size=most).map(msgspec.to_builtins)
    if rule.kind == "boolean":
        return st.booleans()
    least, most = rule.minimum or 0, rule.maximum or 99
    return st.sampled_from([least - 1, least, most, most + 1])


@cache
def bodies(shape: type[Shape]) -> st.SearchStrategy[dict[str, Any]]:
    """A structure as JSON has it: mostly what is required is there."""
    required = {one.name: values(one.rule) for one in shape.MEMBERS if one.required}
    others = {one.name: values(one.rule) for one in shape.MEMBERS if not one.required}
    return st.one_of(
        st.fixed_dictionaries(required, optional=others),
        st.fixed_dictionaries({}, optional=required | others),
    )


def receive(service: Service, name: str, body: bytes) -> Shape:
    """The body, read as a request's."""
    return json.receiver(service, name)(Request("POST", "/", {}, body, "192.0.2.1", secure=False))


def check(service: Service, name: str, body: bytes) -> bool:
    """Whether the body is in order, which both ways of reading it must say alike."""
    plain, received = json.decode(service, name, body), receive(service, name, body)
    broken = violations(plain)
    assert msgspec.to_builtins(received) == msgspec.to_builtins(plain)
    assert isinstance(received, service.operations[name].input)
    assert received.KEPT is (broken == [])
    assert violations(received) == broken
    return received.KEPT


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_request_is_kept_exactly_if_nothing_is_broken(service: Service, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(service.operations)))
    check(service, name, msgspec.json.encode(data.draw(bodies(service.operations[name].input))))


@pytest.mark.parametrize(
    ("more", "in_order"),
    [
        (b"}", True),
        (b',"KeyId":""}', False),
        (b',"GrantTokens":[""]}', False),
        (b',"GrantTokens":["a"]}', True),
        (b',"GrantTokens":null}', True),
        (b',"KeyId":null}', False),
        (b',"Plaintext":""}', False),
        (b',"EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}', True),
        (b',"EncryptionAlgorithm":"SYMMETRIC"}', False),
        (b',"New":[{"x":1}]}', True),
        (',"EncryptionContext":{"ä":"ö"}}'.encode(), True),
    ],
)
def test_requests_that_are_in_order_and_not(more: bytes, in_order: bool) -> None:
    assert check(kms.SERVICE, "Encrypt", ENCRYPT + more) is in_order


def test_of_a_repeated_member_the_last_counts_whichever_is_wrong() -> None:
    body = b'{"KeyId":"","KeyId":"a","Plaintext":"YQ=="}'
    assert violations(receive(kms.SERVICE, "Encrypt", body)) == []


def test_every_shape_can_be_kept_and_is_no_heavier() -> None:
    for service, name in OPERATIONS:
        shape = service.operations[name].input
        made = kept(shape)
        assert made.__struct_encode_fields__ == shape.__struct_encode_fields__
        assert made.__struct_config__.gc == shape.__struct_config__.gc
        assert made.__struct_config__.omit_defaults == shape.__struct_config__.omit_defaults
        assert made.MEMBERS is shape.MEMBERS
        assert not shape.KEPT


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"KeyId":1}', b'{"Z":"\xff"}', b'{"Z":' + b"[" * 9999])
def test_what_cannot_be_read_is_refused_in_the_same_words(body: bytes) -> None:
    said = []
    for read in (json.decode, receive):
        with pytest.raises(Serialization) as refused:
            read(kms.SERVICE, "Encrypt", body)
        assert refused.value.__context__ is None
        said.append(str(refused.value))
    assert said[0] == said[1]
