"""REST with JSON: members of paths and queries are found again, whatever they hold; times are texts."""

import json
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import AnalyzerConflict, Serialization, Validation
from keystead.wire.models import accessanalyzer as wire
from keystead.wire.protocols import rest_json

SERVICE = wire.SERVICE
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
WITH_LABELS = sorted(name for name, one in SERVICE.operations.items() if "{" in one.path)


@given(st.sampled_from(WITH_LABELS), st.lists(TEXT, min_size=2, max_size=2))
def test_members_of_a_path_are_found_again(name, texts):
    shape = SERVICE.operations[name]
    located = [member for member in shape.input.MEMBERS if member.location == "uri"]
    path = shape.path
    for member, text in zip(located, texts, strict=False):
        path = path.replace(f"{{{member.name}}}", quote(text, safe=""))
    assert rest_json.operation_at(SERVICE, shape.method, path) == name
    request = rest_json.decode(SERVICE, name, b"", "", path)
    for member, text in zip(located, texts, strict=False):
        assert getattr(request, member.attribute) == text


@pytest.mark.parametrize("name", sorted(SERVICE.operations))
def test_each_operation_is_found_by_its_own_method_and_path(name):
    shape = SERVICE.operations[name]
    path = shape.path.replace("{", "").replace("}", "")
    assert rest_json.operation_at(SERVICE, shape.method, path) == name
    assert rest_json.operation_at(SERVICE, "PATCH", path) is None
    assert rest_json.operation_at(SERVICE, shape.method, f"{path}/more/and/more") is None


@pytest.mark.parametrize(
    "path", ["", "/", "/analyzer/", "/analyzer//archive-rule", "//analyzer", "/findingv2/a/b"]
)
def test_a_path_of_nothing_is_nobodys(path):
    assert rest_json.operation_at(SERVICE, "GET", path) is None


@given(st.lists(TEXT), TEXT, st.integers(-5, 10**9))
def test_members_of_a_query_are_found_again(keys, token, size):
    query = urlencode([("tagKeys", key) for key in keys])
    request = rest_json.decode(SERVICE, "UntagResource", b"", query, "/tags/x")
    assert request.tag_keys == (keys or None)
    query = urlencode({"maxResults": size, "nextToken": token})
    request = rest_json.decode(SERVICE, "ListAnalyzers", b"", query, "/analyzer")
    assert (request.max_results, request.next_token) == (size, token)


@pytest.mark.parametrize(
    ("operation", "path", "query"),
    [
        ("ListAnalyzers", "/analyzer", "maxResults=ten"),
        ("ListAnalyzers", "/analyzer", "type=%ff"),
        ("GetAnalyzer", "/analyzer/%ff", ""),
        ("GetGeneratedPolicy", "/policy/generation/a", "includeResourcePlaceholders=maybe"),
    ],
)
def test_what_is_no_value_is_refused(operation, path, query):
    with pytest.raises(Serialization):
        rest_json.decode(SERVICE, operation, b"", query, path)


@given(st.floats(0, 4_000_000_000))
def test_a_time_is_a_text_at_any_depth(seconds):
    summary = wire.AnalyzerSummary(arn="a", created_at=seconds, tags={"a": "b"})
    answer = json.loads(rest_json.encode(wire.ListAnalyzersResponse(analyzers=[summary])))
    (told,) = answer["analyzers"]
    assert told == {"arn": "a", "createdAt": told["createdAt"], "tags": {"a": "b"}}
    assert told["createdAt"].endswith("Z")
    assert abs(datetime.fromisoformat(told["createdAt"]).timestamp() - seconds) <= 0.001


@given(st.floats(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_time_in_a_request_is_found_again(time):
    details = {"startTime": time.isoformat(), "accessRole": "a", "trails": []}
    body = json.dumps({"cloudTrailDetails": details, "clientToken": "b"}).encode()
    request = rest_json.decode(SERVICE, "StartPolicyGeneration", body, "", "/policy/generation")
    assert request.cloud_trail_details.start_time == time.timestamp()
    assert (request.cloud_trail_details.access_role, request.client_token) == ("a", "b")


@pytest.mark.parametrize("time", ['"yesterday"', '"10000-01-01T00:00:00Z"', "[]", "{}", "true"])
def test_what_is_no_time_is_refused(time):
    body = f'{{"cloudTrailDetails": {{"startTime": {time}}}}}'.encode()
    with pytest.raises(Serialization):
        rest_json.decode(SERVICE, "StartPolicyGeneration", body, "", "/policy/generation")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"cloudTrailDetails": []}', b"[" * 100_000])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(Serialization):
        rest_json.decode(SERVICE, "StartPolicyGeneration", body, "", "/policy/generation")


def test_an_error_says_what_it_is_about():
    told = json.loads(rest_json.encode_error(AnalyzerConflict("It is there.", "a", "b")))
    assert told == {"message": "It is there.", "resourceId": "a", "resourceType": "b"}
    told = json.loads(rest_json.encode_error(Validation("No.")))
    assert told == {"message": "No.", "reason": "fieldValidationFailed"}
