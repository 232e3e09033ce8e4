"""ValidatePolicy, asked by boto3: the codes, and that each points at what it is about."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.policy.spans import spans
from keystead.testing import RunningServer

CLEAN = {
    "Sid": "A",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "kms:*",
    "Resource": "*",
}


@pytest.fixture(scope="module")
def analyzer():
    with RunningServer() as running:
        yield running.client("accessanalyzer")


def policy(**changes):
    statement = {name: value for name, value in (CLEAN | changes).items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


def found(analyzer, text, kind="RESOURCE_POLICY"):
    return analyzer.validate_policy(policyDocument=text, policyType=kind)["findings"]


def test_a_clean_policy_has_no_findings(analyzer):
    assert found(analyzer, policy()) == []


CASES = {
    "MISSING_VERSION": json.dumps({"Statement": [CLEAN]}),
    "INVALID_VERSION": json.dumps({"Version": "2020-01-01", "Statement": [CLEAN]}),
    "MISSING_STATEMENT": '{"Version": "2012-10-17"}',
    "INVALID_POLICY_ELEMENT": policy(Extra=1),
    "MISSING_EFFECT": policy(Effect=None),
    "INVALID_EFFECT": policy(Effect="allow"),
    "MISSING_ACTION": policy(Action=None),
    "MISSING_RESOURCE": policy(Resource=None),
    "MISSING_PRINCIPAL": policy(Principal=None),
    "DATA_TYPE_MISMATCH": policy(Action={"a": 1}),
    "EMPTY_ARRAY_ACTION": policy(Action=[]),
    "EMPTY_OBJECT_PRINCIPAL": policy(Principal={}),
    "EMPTY_OBJECT_CONDITION": policy(Condition={}),
    "EMPTY_SID_VALUE": policy(Sid=""),
    "UNSUPPORTED_ELEMENT_COMBINATION": policy(NotAction="kms:Sign"),
    "INVALID_ACTION": policy(Action=["kms:Decrypt", "kms:Decyrpt"]),
    "REDUNDANT_ACTION": policy(Action=["kms:Decrypt", "kms:De*"]),
    "ALLOW_WITH_NOT_PRINCIPAL": policy(Principal=None, NotPrincipal={"AWS": "111122223333"}),
    "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL": policy(Principal={"Service": "sns.amazonaws.com"}),
    "INVALID_CONDITION_OPERATOR": policy(Condition={"StringIs": {"kms:ViaService": "a"}}),
    "INVALID_CONDITION_KEY_FORMAT": policy(Condition={"StringEquals": {"ViaService": "a"}}),
    "INVALID_GLOBAL_CONDITION_KEY": policy(Condition={"StringEquals": {"aws:SorceArn": "a"}}),
    "INVALID_SERVICE_CONDITION_KEY": policy(Condition={"StringEquals": {"kms:ViaServices": "a"}}),
    "MISSING_QUALIFIER": policy(Condition={"StringEquals": {"aws:PrincipalOrgPaths": "a"}}),
    "FORALLVALUES_WITH_SINGLE_VALUED_KEY": policy(Condition={"ForAllValues:StringEquals": {"kms:ViaService": "a"}}),
    "NULL_WITH_IF_EXISTS": policy(Condition={"NullIfExists": {"kms:ViaService": "true"}}),
    "NULL_WITH_QUALIFIER": policy(Condition={"ForAnyValue:Null": {"aws:TagKeys": "true"}}),
    "WILDCARD_WITHOUT_LIKE_OPERATOR": policy(Condition={"StringEquals": {"kms:ViaService": "s3.*"}}),
    "TYPE_MISMATCH": policy(Condition={"NumericEquals": {"kms:ViaService": "1"}}),
    "TYPE_MISMATCH_IP_RANGE": policy(Condition={"IpAddress": {"aws:SourceIp": "here"}}),
    "TYPE_MISMATCH_BOOLEAN": policy(Condition={"Bool": {"aws:SecureTransport": "yes"}}),
    "PRIVATE_IP_ADDRESS": policy(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    "PRIVATE_IP_ADDRESS_SUBSET": policy(Condition={"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "54.0.0.0/8"]}}),
    "REDUNDANT_STATEMENT": json.dumps({"Version": "2012-10-17", "Statement": [
        CLEAN, CLEAN | {"Sid": "B", "Action": "kms:Decrypt", "Principal": {"AWS": "arn:aws:iam::111122223333:role/App"}}]}),
    "KEYSTEAD_DENY_WITHOUT_EFFECT": json.dumps({"Version": "2012-10-17", "Statement": [
        CLEAN, {"Effect": "Deny", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"}]}),
    "UNIQUE_SIDS_RECOMMENDED": json.dumps({"Version": "2012-10-17", "Statement": [
        CLEAN, CLEAN | {"Principal": {"AWS": "444455556666"}}]}),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_each_code_is_told_and_points_at_its_place(analyzer, code):
    text = CASES[code]
    told = {one["issueCode"]: one for one in found(analyzer, text)}
    assert code in told
    (location,) = told[code]["locations"]
    value = json.loads(text)
    for step in location["path"]:
        value = value[step["index"] if "index" in step else step["value"]]
    start, end = (location["span"][name]["offset"] for name in ("start", "end"))
    assert json.loads(text[start:end]) == value


def test_what_is_no_json_is_told_with_its_place(analyzer):
    (one,) = found(analyzer, '{"Version": "2012-10-17",\n "Statement": [}')
    assert one["issueCode"] == "JSON_SYNTAX_ERROR"
    assert one["locations"][0]["span"]["start"] == {"line": 2, "column": 15, "offset": 41}


def test_identity_policies_have_no_principal(analyzer):
    assert [one["issueCode"] for one in found(analyzer, policy(), "IDENTITY_POLICY")] == [
        "UNSUPPORTED_PRINCIPAL"
    ]


def test_findings_come_in_pages(analyzer):
    text = policy(Effect=None, Action=None, Resource=None)
    pages = analyzer.get_paginator("validate_policy").paginate(
        policyDocument=text, policyType="RESOURCE_POLICY", PaginationConfig={"PageSize": 1}
    )
    codes = [[one["issueCode"] for one in page["findings"]] for page in pages]
    assert codes == [["MISSING_EFFECT"], ["MISSING_ACTION"], ["MISSING_RESOURCE"]]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from([None, 1]))
def test_every_value_of_a_json_text_is_where_its_span_says(value, indent):
    text = json.dumps(value, indent=indent)

    def at(path):
        held = value
        for step in path:
            held = held[step]
        return held

    found_spans = spans(text)
    assert () in found_spans
    for path, span in found_spans.items():
        assert json.loads(text[span.start.offset : span.end.offset]) == at(path)
        before = text[: span.start.offset]
        assert (span.start.line, span.start.column) == (
            before.count("\n") + 1,
            len(before.rpartition("\n")[2]),
        )
