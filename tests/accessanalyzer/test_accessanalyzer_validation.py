"""ValidatePolicy, asked by boto3: the codes, and that each points at what it is about."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.policy.issue_codes import MEANINGS
from keystead.policy.issues import issues
from keystead.policy.spans import names as member_names
from keystead.policy.spans import spans
from keystead.services.kms.managed_keys import MANAGED_KEYS, managed_policy
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
    "ARN_ACCOUNT_NOT_ALLOWED": policy(Resource="arn:aws:s3::111122223333:bucket"),
    "ARN_REGION_NOT_ALLOWED": policy(Resource="arn:aws:iam:us-east-1:111122223333:role/x"),
    "DUPLICATE_KEYS_WITH_DIFFERENT_CASE": policy(
        Condition={"StringEquals": {"aws:SourceArn": "a", "AWS:SourceARN": "b"}}),
    "EMPTY_VARIABLE": policy(Resource="arn:aws:kms:us-east-1:111122223333:key/${}"),
    "INVALID_ARN_ACCOUNT": policy(Resource="arn:aws:kms:us-east-1:1111:key/x"),
    "INVALID_ARN_PREFIX": policy(Resource="key/x"),
    "INVALID_ARN_REGION": policy(Resource="arn:aws:kms:here:111122223333:key/x"),
    "INVALID_ARN_RESOURCE": policy(Resource="arn:aws:kms:us-east-1:111122223333:keys/x"),
    "INVALID_ARN_SERVICE_CASE": policy(Resource="arn:aws:KMS:us-east-1:111122223333:key/x"),
    "INVALID_CONDITION_DATA_TYPE": policy(Condition={"StringEquals": {"aws:SourceArn": ["a", True]}}),
    "INVALID_CONDITION_MULTIPLE_BOOLEAN": policy(Condition={"Bool": {"aws:SecureTransport": ["true", "false"]}}),
    "INVALID_KMS_KEY_VALUE": policy(
        Condition={"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "alias/a"}}),
    "INVALID_PARTITION": policy(Resource="arn:azure:kms:us-east-1:111122223333:key/x"),
    "INVALID_PRINCIPAL_FORMAT": policy(Principal=["111122223333"]),
    "INVALID_PRINCIPAL_KEY": policy(Principal={"Aws": "111122223333"}),
    "INVALID_REGION": policy(Condition={"StringEquals": {"aws:RequestedRegion": "Frankfurt"}}),
    "INVALID_SERVICE_IN_ACTION": policy(Action="ksm:Decrypt"),
    "INVALID_SERVICE_PRINCIPAL_FORMAT": policy(Condition={"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}}),
    "INVALID_VARIABLE_FOR_OPERATOR": policy(Condition={"NumericEquals": {"aws:MultiFactorAuthAge": "${aws:EpochTime}"}}),
    "INVALID_VPC_FORMAT": policy(Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
    "INVALID_VPCE_FORMAT": policy(Condition={"StringEquals": {"aws:SourceVpce": "vpc-12345678"}}),
    "MISSING_ARN_ACCOUNT": policy(Resource="arn:aws:kms:us-east-1::key/x"),
    "MISSING_ARN_FIELD": policy(Resource="arn:aws:kms:key/x"),
    "MISSING_ARN_REGION": policy(Resource="arn:aws:kms::111122223333:key/x"),
    "MISSING_BRACE_IN_VARIABLE": policy(Condition={"StringEquals": {"aws:SourceArn": "${aws:username"}}),
    "MISSING_QUOTE_IN_VARIABLE": policy(Condition={"StringEquals": {"aws:SourceArn": "${aws:username, x}"}}),
    "MISSING_TAG_KEY_IN_CONDITION": policy(Condition={"StringEquals": {"aws:ResourceTag": "x"}}),
    "PRIVATE_NOT_IP_ADDRESS": policy(Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    "UNSUPPORTED_ACTION_FOR_CONDITION_KEY": policy(
        Action=["kms:Sign", "kms:Decrypt"], Condition={"StringEquals": {"kms:EncryptionContext:a": "b"}}),
    "UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL": policy(
        Principal={"Service": "sns.amazonaws.com"}, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
    "UNSUPPORTED_GLOBAL_CONDITION_KEY": policy(Condition={"StringEquals": {"aws:ARN": "a"}}),
    "UNSUPPORTED_SPACE_IN_VARIABLE": policy(Condition={"StringEquals": {"aws:SourceArn": "${ aws:username}"}}),
    "UNSUPPORTED_WILDCARD_IN_PRINCIPAL": policy(Principal={"AWS": "arn:aws:iam::111122223333:role/*"}),
    "VARIABLE_UNSUPPORTED_IN_ELEMENT": policy(Action="kms:${aws:username}"),
    "VARIABLE_UNSUPPORTED_IN_VERSION": json.dumps({"Version": "2008-10-17", "Statement": [
        CLEAN | {"Condition": {"StringEquals": {"aws:SourceArn": "${aws:username}"}}}]}),
    "MISSING_PAIRED_CONDITION_KEYS": policy(
        Principal="*", Condition={"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}),
    "INVALID_ROLE_REFERENCE": policy(Principal={"AWS": "AROAEXAMPLEROLE00000"}),
    "INVALID_USER_REFERENCE": policy(Principal={"AWS": ["AIDAEXAMPLEUSER00000"]}),
    "TYPE_MISMATCH_DATE": policy(Condition={"DateLessThan": {"aws:CurrentTime": "soon"}}),
    "TYPE_MISMATCH_NUMBER": policy(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "old"}}),
    "EMPTY_ARRAY_CONDITION": policy(Condition={"StringEquals": {"aws:SourceArn": []}}),
    "EMPTY_ARRAY_PRINCIPAL": policy(Principal={"AWS": []}),
    "EMPTY_ARRAY_RESOURCE": policy(Resource=[]),
    "IMPROVE_IP_RANGE": policy(Condition={"IpAddress": {"aws:SourceIp": "54.1.2.3/8"}}),
    "REDUNDANT_CONDITION_VALUE_NUM": policy(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": ["1", "2"]}}),
    "REDUNDANT_RESOURCE": policy(Resource=["*", "arn:aws:kms:us-east-1:111122223333:key/x"]),
    "WILDCARD_IN_SERVICE_NAME": policy(Action="k*:Decrypt"),
    "KEYSTEAD_GRANT_FOR_ANYBODY": policy(Principal={"AWS": "arn:aws:iam::111122223333:role/App"}, Action="kms:CreateGrant"),
    "KEYSTEAD_LOCKOUT": policy(Action="kms:Decrypt"),
    "KEYSTEAD_NO_DELEGATION": policy(Principal={"AWS": "arn:aws:iam::111122223333:role/App"}),
    "KEYSTEAD_CONTEXT_NOT_BOUND": policy(
        Action="kms:Decrypt", Condition={"StringEquals": {"kms:EncryptionContext:a": "b"}}),
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
        value = step["key"] if "key" in step else value[step["index"] if "index" in step else step["value"]]
    start, end = (location["span"][name]["offset"] for name in ("start", "end"))
    assert json.loads(text[start:end]) == value


OF_OTHER_KINDS = {
    "UNSUPPORTED_PRINCIPAL": (policy(), "IDENTITY_POLICY", None),
    "UNSUPPORTED_SID": (policy(Sid="a b", Principal=None), "IDENTITY_POLICY", None),
    "UNIQUE_SIDS_REQUIRED": (
        json.dumps({"Version": "2012-10-17", "Statement": [CLEAN, CLEAN]}), "IDENTITY_POLICY", None),
    "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA": (policy(Resource=["arn:aws:s3:::" + "x" * 6200]), "IDENTITY_POLICY", None),
    "POLICY_SIZE_EXCEEDS_SCP_QUOTA": (policy(Resource=["arn:aws:s3:::" + "x" * 6200]), "SERVICE_CONTROL_POLICY", None),
    "POLICY_SIZE_EXCEEDS_RCP_QUOTA": (policy(Resource=["arn:aws:s3:::" + "x" * 6200]), "RESOURCE_CONTROL_POLICY", None),
    "RCP_SYNTAX_ERROR_ALLOW": (policy(), "RESOURCE_CONTROL_POLICY", None),
    "RCP_SYNTAX_ERROR_PRINCIPAL": (policy(), "RESOURCE_CONTROL_POLICY", None),
    "RCP_SYNTAX_ERROR_NOTACTION": (policy(Action=None, NotAction="kms:*"), "RESOURCE_CONTROL_POLICY", None),
    "UNSUPPORTED_ACTION_IN_POLICY": (policy(), "RESOURCE_POLICY", "AWS::S3::Bucket"),
    "UNSUPPORTED_RESOURCE_ARN_IN_POLICY": (
        policy(Action="s3:*", Resource="arn:aws:kms:us-east-1:111122223333:key/x"), "RESOURCE_POLICY", "AWS::S3::Bucket"),
    "FEDERATED_PRINCIPAL_NOT_SUPPORTED": (
        policy(Action="s3:*", Principal={"Federated": "x.example"}), "RESOURCE_POLICY", "AWS::S3::Bucket"),
    "ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE": (
        policy(Action="sts:AssumeRole"), "RESOURCE_POLICY", "AWS::IAM::AssumeRolePolicyDocument"),
    "ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL": (
        policy(Action="sts:AssumeRole", Principal=None, NotPrincipal={"AWS": "111122223333"}, Resource=None),
        "RESOURCE_POLICY", "AWS::IAM::AssumeRolePolicyDocument"),
    "MISMATCHED_ACTION_FOR_PRINCIPAL": (
        policy(Action="sts:AssumeRoleWithSAML", Principal={"Federated": "x.example"}, Resource=None),
        "RESOURCE_POLICY", "AWS::IAM::AssumeRolePolicyDocument"),
}  # fmt: skip


@pytest.mark.parametrize("code", OF_OTHER_KINDS)
def test_codes_of_other_kinds_of_policies_are_told(analyzer, code):
    text, kind, resource = OF_OTHER_KINDS[code]
    more = {} if resource is None else {"validatePolicyResourceType": resource}
    told = analyzer.validate_policy(policyDocument=text, policyType=kind, **more)["findings"]
    assert code in {one["issueCode"] for one in told}


OF_KEYS = {
    "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA": policy(Resource=["arn:aws:kms:us-east-1:111122223333:key/" + "x" * 33000]),
    "IRRELEVANT_CONDITION_KEY_IN_POLICY": policy(Condition={"StringEquals": {"s3:prefix": "a"}}),
}  # fmt: skip


@pytest.mark.parametrize("code", OF_KEYS)
def test_codes_of_key_policies_are_told_where_it_is_known_to_be_one(code):
    assert code in {one.code for one in issues(OF_KEYS[code], "RESOURCE_POLICY", "AWS::KMS::Key")}


def test_every_code_has_a_case_that_shows_it():
    assert set(MEANINGS) == {*CASES, *OF_OTHER_KINDS, *OF_KEYS, "JSON_SYNTAX_ERROR"}


@pytest.mark.parametrize("changes", [
    {"Action": ["kms:Decrypt", "s3:GetObject"]}, {"Action": None, "NotAction": "kms:Sign"},
    {"Condition": {"StringEquals": {"kms:EncryptionContext:a": "b"},
                   "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "a"}}},
    {"Principal": None, "NotPrincipal": {"AWS": "111122223333"}}, {"Effect": "Deny"},
])  # fmt: skip
def test_what_is_told_of_key_policies_is_told_where_it_is_so(analyzer, changes):
    told = {one["issueCode"] for one in found(analyzer, policy(**changes))}
    assert not told & {"KEYSTEAD_LOCKOUT", "KEYSTEAD_NO_DELEGATION", "KEYSTEAD_CONTEXT_NOT_BOUND"}


def test_a_misspelt_action_is_told_with_what_may_be_meant(analyzer):
    (one,) = found(analyzer, policy(Action="kms:Decyrpt"))
    assert one["findingDetails"] == "kms:Decyrpt is no action of AWS KMS. Did you mean kms:Decrypt?"


@pytest.mark.parametrize("alias", sorted(MANAGED_KEYS)[:3])
def test_policies_that_come_from_aws_have_no_errors(alias):
    text = managed_policy(MANAGED_KEYS[alias], "111122223333", "us-east-1")
    told = issues(text, "RESOURCE_POLICY", "AWS::KMS::Key")
    assert [one.code for one in told if one.type in ("ERROR", "SECURITY_WARNING")] == []


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


names = st.sampled_from([
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition", "AWS",
    "Service", "Federated", "StringLike", "Bool", "IpAddress", "NumericLessThan", "Null", "kms:ViaService", "aws:SourceIp",
    "aws:ResourceTag/", "kms:EncryptionContext:a", "AWS:sourceip", "aws:SourceVpc", "x",
])  # fmt: skip
scraps = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5),
    st.sampled_from(["*", "Allow", "Deny", "kms:Decrypt", "kms:CreateGrant", "arn:aws:kms:::", "arn:aws:s3:::a", "${", "${a, b}",
                     "10.0.0.0/8", "1.2.3.4/8", "k*:x", "AROAEXAMPLEROLE00000", "sts:AssumeRoleWithSAML"]),
)  # fmt: skip
elements = st.recursive(
    scraps,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=16,
)
KINDS = ["IDENTITY_POLICY", "RESOURCE_POLICY", "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(names, elements, max_size=6),
    st.sampled_from(KINDS),
    st.sampled_from([None, "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::IAM::AssumeRolePolicyDocument"]),
)
def test_whatever_a_statement_holds_is_told_of_at_places_that_are_there(statement, kind, resource):
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    places, named = spans(text), member_names(text)
    for one in issues(text, kind, resource):
        assert one.path in places
        assert one.span == (named if one.of_name else places)[one.path]


OFFENCES = {
    "Action": [("INVALID_ACTION", "kms:Decyrpt"), ("INVALID_ACTION", "kms"), ("INVALID_SERVICE_IN_ACTION", "ksm:Decrypt"),
               ("WILDCARD_IN_SERVICE_NAME", "k*:Decrypt"), ("VARIABLE_UNSUPPORTED_IN_ELEMENT", "kms:${aws:username}")],
    "Resource": [("INVALID_ARN_PREFIX", "key/x"), ("MISSING_ARN_FIELD", "arn:aws:kms:key/x"),
                 ("INVALID_PARTITION", "arn:azure:kms:us-east-1:111122223333:key/x"),
                 ("INVALID_ARN_ACCOUNT", "arn:aws:kms:us-east-1:11:key/x"), ("EMPTY_VARIABLE", "arn:aws:s3:::${}")],
    "StringEquals/kms:ViaService": [("INVALID_SERVICE_PRINCIPAL_FORMAT", "s3"), ("WILDCARD_WITHOUT_LIKE_OPERATOR", "s3.*")],
    "StringEquals/aws:SourceVpc": [("INVALID_VPC_FORMAT", "vpc-1")],
    "DateLessThan/aws:CurrentTime": [("TYPE_MISMATCH_DATE", "soon")],
    "NumericEquals/aws:MultiFactorAuthAge": [("TYPE_MISMATCH_NUMBER", "old")],
    "IpAddress/aws:SourceIp": [("TYPE_MISMATCH_IP_RANGE", "here"), ("IMPROVE_IP_RANGE", "54.1.2.3/8"),
                               ("PRIVATE_IP_ADDRESS_SUBSET", "10.0.0.0/8")],
}  # fmt: skip
"""By the element that lists them, values that each are told by a code."""
SOUND = {
    "Action": ["kms:Sign", "kms:Verify"], "Resource": ["arn:aws:kms:us-east-1:111122223333:key/a"],
    "StringEquals/kms:ViaService": ["s3.us-east-1.amazonaws.com"], "StringEquals/aws:SourceVpc": ["vpc-12345678"],
    "DateLessThan/aws:CurrentTime": ["2026-01-01T00:00:00Z"], "NumericEquals/aws:MultiFactorAuthAge": ["5"],
    "IpAddress/aws:SourceIp": ["54.0.0.0/8"],
}  # fmt: skip
NAMED = [
    ("INVALID_POLICY_ELEMENT", "Acton", ()), ("INVALID_CONDITION_OPERATOR", "StringIs", ("Condition",)),
    ("INVALID_GLOBAL_CONDITION_KEY", "aws:SorceArn", ("Condition", "StringLike")),
    ("INVALID_SERVICE_CONDITION_KEY", "kms:ViaServices", ("Condition", "StringLike")),
    ("INVALID_CONDITION_KEY_FORMAT", "ViaService", ("Condition", "StringLike")),
    ("MISSING_QUALIFIER", "aws:PrincipalOrgPaths", ("Condition", "StringLike")),
    ("INVALID_PRINCIPAL_KEY", "Aws", ("Principal",)),
]  # fmt: skip
"""Codes about names, a name that is told, and where it stands in a statement."""


@st.composite
def listed(draw):
    """A statement with one offending value at some place in a list, its code, and the value."""
    element = draw(st.sampled_from(sorted(OFFENCES)))
    code, value = draw(st.sampled_from(OFFENCES[element]))
    values = [*SOUND[element]]
    values.insert(draw(st.integers(0, len(values))), value)
    operator, _, key = element.partition("/")
    changes = {"Condition": {operator: {key: values}}} if key else {element: values}
    return CLEAN | changes, code, value


def document(draw_before, statement, indent):
    statements = [*[CLEAN | {"Sid": f"B{number}"} for number in range(draw_before)], statement]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=indent, ensure_ascii=False)


def cuts(text, code):
    return [
        text[one.span.start.offset : one.span.end.offset]
        for one in issues(text, "RESOURCE_POLICY")
        if one.code == code
    ]


@settings(max_examples=60, deadline=None)
@given(listed(), st.integers(0, 3), st.sampled_from([None, 0, 2]))
def test_the_span_of_a_value_cuts_that_value_out(made, before, indent):
    statement, code, value = made
    text = document(before, statement | {"Sid": "Schl\u00fcssel \U0001f511"}, indent)
    assert cuts(text, code) == [json.dumps(value)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMED), st.integers(0, 3), st.sampled_from([None, 0, 2]))
def test_the_span_of_a_name_cuts_that_name_out(named, before, indent):
    code, name, place = named
    inner = {name: {"kms:ViaService": "a"} if place == ("Condition",) else "111122223333"}
    for step in reversed(place):
        inner = {step: inner}
    text = document(before, CLEAN | {"Sid": "\u00e4\u00f6\u00fc"} | inner, indent)
    assert cuts(text, code) == [json.dumps(name)]


@settings(deadline=None)
@given(st.text(max_size=60) | st.sampled_from([policy(), "[" * 500, '{"a":' * 300]).flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.text(max_size=3)).map(lambda cut: text[: cut[0]] + cut[1] + text[cut[0] + 1 :])
), st.sampled_from(KINDS))  # fmt: skip
def test_whatever_is_sent_has_an_answer_with_places_in_the_text(text, kind):
    for one in issues(text, kind):
        assert 0 <= one.span.start.offset <= one.span.end.offset <= len(text) + 1
        assert one.details
