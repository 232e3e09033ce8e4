"""The checks of policies, asked by boto3 and the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer

DATA = json.loads((Path(__file__).parents[1] / "policies" / "analysis.json").read_text())


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


@pytest.fixture(scope="module")
def analyzer(server):
    return server.client("accessanalyzer")


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action="kms:Decrypt", resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


ROOT = {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
ROLE = {"Principal": {"AWS": "arn:aws:iam::444455556666:role/App"}}


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["why"])
def test_new_access_between_key_policies(analyzer, case):
    old, new = (policy(*DATA["policies"][case[name]]) for name in ("old", "new"))
    if "everyone-any-action" in (case["old"], case["new"]):
        pytest.skip("the API is not told that the policies are of keys, and actions of other services count")
    found = analyzer.check_no_new_access(
        newPolicyDocument=new, existingPolicyDocument=old, policyType="RESOURCE_POLICY"
    )
    assert found["result"] == ("FAIL" if case["new_access"] else "PASS")
    assert bool(found["reasons"]) is case["new_access"]


def test_a_reason_names_the_statement_and_a_request(analyzer):
    found = analyzer.check_no_new_access(
        newPolicyDocument=policy(allow("kms:*", **ROOT), allow(Sid="App", **ROLE)),
        existingPolicyDocument=policy(allow("kms:*", **ROOT)),
        policyType="RESOURCE_POLICY",
    )
    assert found["message"] == "The modified permissions grant new access compared to your existing policy."
    (reason,) = found["reasons"]
    assert (reason["statementIndex"], reason["statementId"]) == (1, "App")
    assert reason["description"].startswith(
        "New access in the statement with sid: App. For example, arn:aws:sts::444455556666:"
    )


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (allow("s3:GetObject", "arn:aws:s3:::b/*"), allow("s3:GetObject", "arn:aws:s3:::b/a*"), "PASS"),
        (allow("s3:GetObject", "arn:aws:s3:::b/a*"), allow("s3:GetObject", "arn:aws:s3:::b/*"), "FAIL"),
        (allow("s3:*"), allow(["s3:GetObject", "s3:PutObject"]), "PASS"),
        (allow("s3:Get*"), allow("s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "true"}}), "PASS"),
        (allow("*"), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "PASS"),
        (allow("s3:GetObject", "arn:aws:s3:::${aws:username}/*"), allow("s3:GetObject", "arn:aws:s3:::b/*"), "FAIL"),
    ],
)  # fmt: skip
def test_new_access_between_identity_policies(analyzer, old, new, result):
    found = analyzer.check_no_new_access(
        newPolicyDocument=policy(new), existingPolicyDocument=policy(old), policyType="IDENTITY_POLICY"
    )
    assert found["result"] == result


@pytest.mark.parametrize(
    ("statement", "access", "result"),
    [
        (allow("kms:*"), {"actions": ["kms:Decrypt"]}, "FAIL"),
        (allow("kms:Enc*"), {"actions": ["kms:Decrypt", "s3:GetObject"]}, "PASS"),
        (allow("kms:Enc*"), {"actions": ["kms:Decrypt", "kms:Encrypt"]}, "FAIL"),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), {"resources": ["arn:aws:s3:::a/x"]}, "FAIL"),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), {"resources": ["arn:aws:s3:::b/x"]}, "PASS"),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), {"actions": ["s3:PutObject"], "resources": ["arn:aws:s3:::a/x"]}, "PASS"),
    ],
)  # fmt: skip
def test_access_that_is_not_to_be_granted(analyzer, statement, access, result):
    found = analyzer.check_access_not_granted(
        policyDocument=policy(statement), access=[access], policyType="IDENTITY_POLICY"
    )
    assert found["result"] == result
    assert len(found["reasons"]) == (result == "FAIL")


EVERYONE = {"Principal": "*"}


@pytest.mark.parametrize(
    ("more", "result"),
    [
        ({}, "FAIL"),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}, "PASS"),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, "FAIL"),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, "FAIL"),
        ({"StringEquals": {"kms:CallerAccount": "111122223333"}}, "PASS"),
        ({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}, "FAIL"),
        ({"IpAddress": {"aws:SourceIp": "54.0.0.0/8"}}, "PASS"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "PASS"),
        ({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-abcdefghij/*"}}, "FAIL"),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abcdefghij/*"}}, "PASS"),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admin"}}, "FAIL"),
        ({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-0123456789abcdef0"}}, "FAIL"),
        ({"StringEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}}, "PASS"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111122223333:*"}}, "PASS"),
    ],
)
def test_public_access(analyzer, more, result):
    document = policy(allow(Sid="Open", Condition=more, **EVERYONE))
    found = analyzer.check_no_public_access(policyDocument=document, resourceType="AWS::KMS::Key")
    assert found["result"] == result
    if result == "FAIL":
        assert found["reasons"][0]["description"].startswith(
            "Public access granted in the following statement with sid: Open."
        )


def code_and_status(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_what_is_no_policy_is_refused(analyzer):
    for document in ("nonsense", "{}", policy({"Effect": "Allow", "Action": {}, "Resource": "*"})):
        with pytest.raises(ClientError) as error:
            analyzer.check_no_public_access(policyDocument=document, resourceType="AWS::KMS::Key")
        assert code_and_status(error) == ("ValidationException", 400)
        assert error.value.response["reason"] == "cannotParse"


def test_what_is_too_hard_is_no_pass(analyzer):
    denies = [
        allow(Condition={"StringLike": {"kms:ViaService": f"*{a}{b}*"}}, **EVERYONE) | {"Effect": "Deny"}
        for a in "abcdefg"
        for b in "hijklmn"
    ]
    with pytest.raises(ClientError) as error:
        analyzer.check_no_public_access(
            policyDocument=policy(*denies, allow(**EVERYONE)), resourceType="AWS::KMS::Key"
        )
    assert code_and_status(error) == ("UnprocessableEntityException", 422)


def test_what_is_not_offered_is_said_to_be(analyzer):
    with pytest.raises(ClientError) as error:
        analyzer.create_service_linked_analyzer(type="ACCOUNT")
    assert error.value.response["Error"]["Code"] == "UnsupportedOperationException"


def test_who_may_not_ask_is_refused(server):
    nobody = server.client_of(server.user("nobody"), "accessanalyzer")
    with pytest.raises(ClientError) as error:
        nobody.check_no_public_access(policyDocument=policy(allow(**EVERYONE)), resourceType="AWS::KMS::Key")
    assert code_and_status(error) == ("AccessDeniedException", 403)
    assert "access-analyzer:CheckNoPublicAccess" in error.value.response["Error"]["Message"]


@pytest.mark.client
def test_the_aws_cli_is_answered(server, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | server.environment()
    command = [
        str(Path(sys.executable).with_name("aws")),
        "accessanalyzer",
        "check-no-public-access",
        "--output",
        "json",
    ]
    document = policy(allow(**EVERYONE))
    done = subprocess.run(
        [*command, "--policy-document", document, "--resource-type", "AWS::KMS::Key"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["result"] == "FAIL"
