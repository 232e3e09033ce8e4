"""IAM, STS and Organizations by the aws command: lists in pages, waiters, reports, policies byte for byte, simulations."""

import base64
import csv
import io
import json
import re
from urllib.parse import unquote

import pytest

from keystead.testing import RunningServer

pytestmark = pytest.mark.client

REFUSED = 255
ACCOUNT = "000000000000"
READ = '{ "Version": "2012-10-17",\n  "Statement": [ {"Effect":"Allow", "Action":"kms:List*",  "Resource":"*"} ] }\n'
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, "Action": "sts:AssumeRole",
    }],
})  # fmt: skip


@pytest.fixture
def server():
    """A server of each test's own: names and counts must not meet."""
    with RunningServer() as running:
        yield running


@pytest.fixture
def aws(run, program):
    """`aws(*words)`: what the command printed, read as JSON."""
    found = program("aws")

    def call(*words, **options):
        printed = run(found, *words, "--output", "json", **options).stdout
        return json.loads(printed) if printed.strip() else None

    return call


@pytest.fixture
def alice(aws):
    """The access key of the user alice."""
    aws("iam", "create-user", "--user-name", "alice", "--tags", "Key=team,Value=blue")
    aws("iam", "wait", "user-exists", "--user-name", "alice")
    return aws("iam", "create-access-key", "--user-name", "alice")["AccessKey"]


def by(pair, token=None):
    """The environment of a command that signs with these credentials."""
    variables = {"AWS_ACCESS_KEY_ID": pair["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": pair["SecretAccessKey"]}
    return variables | ({"AWS_SESSION_TOKEN": token} if token else {})


def test_users_groups_and_policies_are_made_shown_and_listed_in_pages(aws, alice, tmp_path):
    for number in range(5):
        aws("iam", "create-user", "--user-name", f"user-{number}", "--path", "/many/")
    names = [user["UserName"] for user in aws("iam", "list-users", "--page-size", "2")["Users"]]
    assert names == ["alice", *(f"user-{n}" for n in range(5))]
    part = aws("iam", "list-users", "--path-prefix", "/many/", "--max-items", "2")
    rest = aws("iam", "list-users", "--path-prefix", "/many/", "--starting-token", part["NextToken"])
    assert [user["UserName"] for user in part["Users"] + rest["Users"]] == names[1:]
    file = tmp_path / "read.json"
    file.write_text(READ)
    policy = ["--policy-name", "read", "--policy-document", f"file://{file}"]
    aws("iam", "put-user-policy", "--user-name", "alice", *policy)
    held = aws("iam", "get-user-policy", "--user-name", "alice", "--policy-name", "read")
    assert held["PolicyDocument"] == json.loads(READ)
    made = aws("iam", "create-policy", *policy)["Policy"]
    second = aws("iam", "create-policy-version", "--policy-arn", made["Arn"], *policy[2:], "--set-as-default")
    assert second["PolicyVersion"]["VersionId"] == "v2"
    aws("iam", "create-group", "--group-name", "readers")
    aws("iam", "attach-group-policy", "--group-name", "readers", "--policy-arn", made["Arn"])
    aws("iam", "add-user-to-group", "--group-name", "readers", "--user-name", "alice")
    entities = aws("iam", "list-entities-for-policy", "--policy-arn", made["Arn"])
    assert [group["GroupName"] for group in entities["PolicyGroups"]] == ["readers"]
    details = aws("iam", "get-account-authorization-details", "--filter", "User", "Group", "--page-size", "3")
    assert [user["UserName"] for user in details["UserDetailList"]] == names
    assert details["UserDetailList"][0]["GroupList"] == ["readers"]


def test_policies_come_back_byte_for_byte(server, alice):
    iam = server.client("iam")
    raw = []
    iam.meta.events.register(
        "before-parse.iam.GetUserPolicy", lambda response_dict, **_: raw.append(response_dict)
    )
    iam.put_user_policy(UserName="alice", PolicyName="read", PolicyDocument=READ)
    iam.get_user_policy(UserName="alice", PolicyName="read")
    (found,) = re.findall("<PolicyDocument>(.*?)</PolicyDocument>", raw[0]["body"].decode())
    assert unquote(found) == READ


def test_a_credential_report_tells_of_each_user(aws, alice):
    aws("iam", "generate-credential-report")
    report = base64.b64decode(aws("iam", "get-credential-report")["Content"]).decode()
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(report))}
    assert rows.keys() == {"<root_account>", "alice"}
    assert rows["alice"]["access_key_1_active"] == "true"
    assert rows["alice"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"


def test_roles_are_taken_on_and_what_they_may_is_simulated(aws, alice, run, program):
    role = aws("iam", "create-role", "--role-name", "reports", "--assume-role-policy-document", TRUST)["Role"]
    aws("iam", "wait", "role-exists", "--role-name", "reports")
    aws(
        "iam", "put-role-policy", "--role-name", "reports", "--policy-name", "read", "--policy-document", READ
    )
    take = ["sts", "assume-role", "--role-arn", role["Arn"], "--role-session-name", "monday"]
    given = aws(*take, **by(alice))["Credentials"]
    session = by(given, given["SessionToken"])
    assert aws("sts", "get-caller-identity", **session)["Arn"].endswith(":assumed-role/reports/monday")
    assert aws("kms", "list-keys", **session) == {"Keys": []}
    refused = run(program("aws"), "kms", "create-key", expect=REFUSED, **session).stderr
    assert "because no identity-based policy allows the kms:CreateKey action" in refused
    actions = ["--action-names", "kms:ListKeys", "kms:CreateKey"]
    told = aws("iam", "simulate-principal-policy", "--policy-source-arn", role["Arn"], *actions)
    assert [row["EvalDecision"] for row in told["EvaluationResults"]] == ["allowed", "implicitDeny"]
    aws("iam", "delete-role-policy", "--role-name", "reports", "--policy-name", "read")
    aws("iam", "delete-role", "--role-name", "reports")
    ended = run(program("aws"), "sts", "get-caller-identity", expect=REFUSED, **session).stderr
    assert "InvalidClientTokenId" in ended


def test_sessions_of_users(aws, alice):
    own = aws("sts", "get-session-token", "--duration-seconds", "900", **by(alice))["Credentials"]
    assert aws("sts", "get-caller-identity", **by(own, own["SessionToken"]))["Arn"].endswith(":user/alice")
    found = aws("sts", "get-access-key-info", "--access-key-id", alice["AccessKeyId"])
    assert found == {"Account": ACCOUNT}
    federated = aws("sts", "get-federation-token", "--name", "guest", "--policy", READ)
    assert federated["FederatedUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:federated-user/guest"
    used = aws("iam", "get-access-key-last-used", "--access-key-id", alice["AccessKeyId"])
    assert used["AccessKeyLastUsed"]["ServiceName"] == "sts"


def test_an_organization_is_made_filled_bound_and_left(aws):
    aws("organizations", "create-organization")
    root = aws("organizations", "list-roots")["Roots"][0]["Id"]
    kind = ["--policy-type", "SERVICE_CONTROL_POLICY"]
    aws("organizations", "enable-policy-type", "--root-id", root, *kind)
    unit = aws("organizations", "create-organizational-unit", "--parent-id", root, "--name", "dev")
    unit = unit["OrganizationalUnit"]["Id"]
    for name in "abc":
        new = ["--email", f"{name}@example.com", "--account-name", name]
        made = aws("organizations", "create-account", *new)["CreateAccountStatus"]
        assert made["State"] == "SUCCEEDED"
        move = [
            "--account-id",
            made["AccountId"],
            "--source-parent-id",
            root,
            "--destination-parent-id",
            unit,
        ]
        aws("organizations", "move-account", *move)
    accounts = aws("organizations", "list-accounts", "--page-size", "2")["Accounts"]
    assert len(accounts) == 4
    assert {a["JoinedMethod"] for a in accounts} == {"INVITED", "CREATED"}
    under = aws("organizations", "list-accounts-for-parent", "--parent-id", unit, "--max-items", "2")
    assert len(under["Accounts"]) == 2
    deny = READ.replace("Allow", "Deny")
    new = ["--name", "blind", "--description", "", "--type", kind[1], "--content", deny]
    policy = aws("organizations", "create-policy", *new)["Policy"]
    assert policy["Content"] == deny
    which = ["--policy-id", policy["PolicySummary"]["Id"], "--target-id", unit]
    aws("organizations", "attach-policy", *which)
    listed = aws("organizations", "list-policies-for-target", "--target-id", unit, "--filter", kind[1])
    assert {found["Name"] for found in listed["Policies"]} == {"FullAWSAccess", "blind"}
    aws("organizations", "detach-policy", *which)
