"""Policies made of what the log says that somebody did."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer

FULL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:*", "s3:*", "access-analyzer:*"], "Resource": "*"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "access-analyzer.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Scene:
    """Somebody who did a few things, a trail, and a role that reads it."""

    def __init__(self, server):
        self.server = server
        self.aa, self.kms, self.iam = (server.client(name) for name in ("accessanalyzer", "kms", "iam"))
        self.account = server.settings.account_id
        self.busy, self.worker = server.user("busy", {"all": FULL}), server.role("worker", {"all": FULL})
        self.reader = self.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]  # fmt: skip
        self.iam.create_role(
            RoleName="other", AssumeRolePolicyDocument=json.dumps(TRUST).replace("access-analyzer", "s3")
        )
        self.trail = f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/all"
        server.client("cloudtrail").create_trail(Name="all", S3BucketName="logs")
        self.keys = [self.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        self.begin = server.clock.now()
        kms = server.client_of(self.busy, "kms")
        blob = kms.encrypt(KeyId=self.keys[0], Plaintext=b"plain")["CiphertextBlob"]
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=self.keys[1])
        kms.list_keys()
        self.made = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["Arn"]
        with pytest.raises(ClientError):
            kms.decrypt(CiphertextBlob=b"nonsense", KeyId=self.keys[0])
        server.client_of(self.busy, "accessanalyzer").list_analyzers()
        server.client_of(server.assume(self.worker), "kms").describe_key(KeyId=self.keys[1])

    def start(self, arn, **details):
        given = {"trails": [{"cloudTrailArn": self.trail, "allRegions": True}], "accessRole": self.reader}
        given |= {"startTime": self.begin - 60, **details}
        return self.aa.start_policy_generation(
            policyGenerationDetails={"principalArn": arn}, cloudTrailDetails=given
        )["jobId"]

    def policy(self, job, **more):
        got = self.aa.get_generated_policy(jobId=job, **more)
        (made,) = got["generatedPolicyResult"]["generatedPolicies"]
        return json.loads(made["policy"])["Statement"], got


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    bucket = tmp_path_factory.mktemp("trails") / "logs"
    bucket.mkdir()
    with RunningServer(trail_directory=str(bucket.parent)) as server:
        yield Scene(server)


def allowed(statements):
    return {
        (action, resource) for one in statements for action in one["Action"] for resource in one["Resource"]
    }


def test_a_policy_allows_what_was_done_and_names_the_keys(scene):
    statements, got = scene.policy(scene.start(scene.busy.arn))
    assert allowed(statements) == {
        ("kms:Encrypt", scene.keys[0]),
        ("kms:ReEncryptFrom", scene.keys[0]),
        ("kms:ReEncryptTo", scene.keys[1]),
        ("kms:ListKeys", "*"),
        ("kms:CreateKey", "*"),
        ("kms:TagResource", "*"),
        ("access-analyzer:ListAnalyzers", "*"),
    }
    assert got["jobDetails"]["status"] == "SUCCEEDED"
    told = got["generatedPolicyResult"]["properties"]
    assert (told["isComplete"], told["principalArn"]) == (True, scene.busy.arn)
    trails = told["cloudTrailProperties"]
    assert trails["trailProperties"] == [{"cloudTrailArn": scene.trail, "allRegions": True}]
    assert trails["endTime"] >= trails["startTime"]


def test_who_has_only_that_policy_can_do_it_all_again(scene):
    statements, _ = scene.policy(scene.start(scene.busy.arn))
    again = scene.server.user("again", {"made": {"Version": "2012-10-17", "Statement": statements}})
    kms = scene.server.client_of(again, "kms")
    blob = kms.encrypt(KeyId=scene.keys[0], Plaintext=b"plain")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=scene.keys[1])
    kms.list_keys()
    kms.create_key(Tags=[{"TagKey": "a", "TagValue": "b"}])
    scene.server.client_of(again, "accessanalyzer").list_analyzers()
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.encrypt(KeyId=scene.keys[1], Plaintext=b"plain")


def test_sessions_are_their_role_s(scene):
    statements, _ = scene.policy(scene.start(scene.worker.arn))
    assert allowed(statements) == {("kms:DescribeKey", scene.keys[1])}


def test_only_the_time_and_the_regions_asked_for_count(scene):
    before = scene.aa.get_generated_policy(jobId=scene.start(scene.busy.arn, startTime=1, endTime=2))
    assert before["generatedPolicyResult"]["generatedPolicies"] == []
    elsewhere = {"trails": [{"cloudTrailArn": scene.trail, "regions": ["eu-west-1"]}]}
    got = scene.aa.get_generated_policy(jobId=scene.start(scene.busy.arn, **elsewhere))
    assert got["generatedPolicyResult"]["generatedPolicies"] == []


def test_other_services_are_told_as_a_whole_if_that_is_wanted(scene):
    person = scene.server.user("mixed", {"all": FULL})
    scene.server.client_of(person, "s3").list_buckets()
    scene.server.client_of(person, "kms").list_keys()
    job = scene.start(person.arn)
    statements, got = scene.policy(job)
    assert allowed(statements) == {("kms:ListKeys", "*")}
    assert got["generatedPolicyResult"]["properties"]["isComplete"] is False
    wider, _ = scene.policy(job, includeServiceLevelTemplate=True)
    assert allowed(wider) == {("kms:ListKeys", "*"), ("s3:*", "*")}


def test_without_a_trail_the_whole_log_counts(scene):
    job = scene.aa.start_policy_generation(policyGenerationDetails={"principalArn": scene.worker.arn})[
        "jobId"
    ]
    statements, got = scene.policy(job)
    assert allowed(statements) == {("kms:DescribeKey", scene.keys[1])}
    assert "cloudTrailProperties" not in got["generatedPolicyResult"]["properties"]


FAILURES = [
    ({"accessRole": "arn:aws:iam::000000000000:role/none"}, "RESOURCE_NOT_FOUND_ERROR"),
    ({"accessRole": "arn:aws:iam::000000000000:role/other"}, "AUTHORIZATION_ERROR"),
    (
        {"trails": [{"cloudTrailArn": "arn:aws:cloudtrail:us-east-1:000000000000:trail/none"}]},
        "RESOURCE_NOT_FOUND_ERROR",
    ),
]


@pytest.mark.parametrize(("details", "code"), FAILURES)
def test_what_cannot_be_read_fails_the_job(scene, details, code):
    got = scene.aa.get_generated_policy(jobId=scene.start(scene.busy.arn, **details))
    assert (got["jobDetails"]["status"], got["jobDetails"]["jobError"]["code"]) == ("FAILED", code)
    assert got["generatedPolicyResult"]["generatedPolicies"] == []


def test_what_cannot_be_is_refused(scene):
    def code(call, **parameters):
        with pytest.raises(ClientError) as error:
            call(**parameters)
        return error.value.response["Error"]["Code"]

    nobody = f"arn:aws:iam::{scene.account}:user/nobody"
    assert code(scene.start, arn=nobody) == "ValidationException"
    assert code(scene.start, arn=scene.busy.arn, startTime=9, endTime=8) == "ValidationException"
    assert code(scene.aa.get_generated_policy, jobId="none") == "ValidationException"
    job = scene.start(scene.busy.arn)
    assert code(scene.aa.cancel_policy_generation, jobId=job) == "ValidationException"


def test_a_job_is_listed_and_made_once_for_one_token(scene):
    asked = {"policyGenerationDetails": {"principalArn": scene.worker.arn}, "clientToken": "once"}
    first, second = (scene.aa.start_policy_generation(**asked)["jobId"] for _ in range(2))
    assert first == second
    listed = scene.aa.list_policy_generations(principalArn=scene.worker.arn)["policyGenerations"]
    assert [one["jobId"] for one in listed].count(first) == 1
    assert {one["principalArn"] for one in listed} == {scene.worker.arn}
    assert {one["status"] for one in listed} == {"SUCCEEDED"}


def test_the_role_must_be_one_that_the_caller_may_pass(scene):
    start = {"Effect": "Allow", "Action": "access-analyzer:StartPolicyGeneration", "Resource": "*"}
    person = scene.server.user("asker", {"start": {"Version": "2012-10-17", "Statement": [start]}})
    client = scene.server.client_of(person, "accessanalyzer")
    details = {
        "trails": [{"cloudTrailArn": scene.trail, "allRegions": True}],
        "accessRole": scene.reader,
        "startTime": 0,
    }
    asked = {"policyGenerationDetails": {"principalArn": person.arn}, "cloudTrailDetails": details}
    with pytest.raises(ClientError, match="iam:PassRole"):
        client.start_policy_generation(**asked)
    passing = {
        "Effect": "Allow", "Action": "iam:PassRole", "Resource": scene.reader,
        "Condition": {"StringEquals": {"iam:PassedToService": "access-analyzer.amazonaws.com"}},
    }  # fmt: skip
    scene.iam.put_user_policy(
        UserName="asker", PolicyName="pass", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [passing]})
    )  # fmt: skip
    assert client.start_policy_generation(**asked)["jobId"]
