"""Condition keys that speak of the caller and its way here: who has the value may use the key, nobody else."""

import json
import re
from pathlib import Path

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from callers import forwarded_by, service_client
from valued_rows import ROWS

from keystead.api.forward import SOURCE_ACCOUNT, SOURCE_ARN
from keystead.clock import ManualClock
from keystead.testing import RunningServer

TESTS = Path(__file__).parents[1]
ACCOUNT, OTHER = "000000000000", "444455556666"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SERVICE, DEPUTY = "logs.amazonaws.com", "rds.amazonaws.com"
GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:audit"
START = 1_800_000_000.0
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.org"


class World:
    """A server that is the management account of an organization, and one caller of each kind."""

    def __init__(self, server):
        self.server, self.kms = server, server.client("kms")
        made = server.client("organizations").create_organization(FeatureSet="ALL")["Organization"]
        self.org = made["Id"]
        self.path = f"{self.org}/{server.client('organizations').list_roots()['Roots'][0]['Id']}/"
        role = server.role("Keys", path="/team/", tags={"Team": "storage"})
        everything = {"p": {"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}}
        self.people = {
            "root": server.root(),
            "user": server.user("alice", path="/team/", tags={"Team": "storage"}),
            "session": server.assume(role, "work", source_identity="alice", tags={"Task": "t1"}),
            "second factor": server.assume(role, "mfa", mfa=START - 600.0),
            "web": server.assume(role, "pod", provider=PROVIDER),
            "federated": _federated(server),
            "stranger": server.user("carol", everything, account=OTHER),
        }
        self.ids = {name: person.id for name, person in self.people.items()}
        self.clients = {name: person.client("kms") for name, person in self.people.items()}
        self.clients["service"] = service_client(server, SERVICE)
        self.clients["service"].meta.events.register("before-sign.*.*", _acting)
        self.clients["through"] = service_client(server, DEPUTY)
        who = self.people["root"]
        forwarded_by(
            server,
            self.clients["through"],
            DEPUTY,
            credentials=Credentials(who.access_key_id, who.secret_access_key),
        ).__enter__()

    def key(self, *statements):
        keep = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:Put*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [keep, *statements]})
        return self.kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]

    def let_in(self, key):
        return {name for name, client in self.clients.items() if _may(client, key)}


def _federated(server):
    """A federated user's session, by the root's own request."""
    given = server.client("sts").get_federation_token(Name="guest", Tags=[{"Key": "Team", "Value": "guests"}])
    pair, who = given["Credentials"], given["FederatedUser"]
    root = server.root()
    return type(root)(
        arn=who["Arn"],
        account=ACCOUNT,
        access_key_id=pair["AccessKeyId"],
        secret_access_key=pair["SecretAccessKey"],
        token=pair["SessionToken"],
        id=who["FederatedUserId"],
        home=server,
    )


def _acting(request, **_):
    request.headers[SOURCE_ARN], request.headers[SOURCE_ACCOUNT] = GROUP, ACCOUNT


def _may(client, key):
    try:
        client.encrypt(KeyId=key, Plaintext=b"x")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


@pytest.fixture(scope="module")
def world():
    with RunningServer(clock=ManualClock(start=START)) as server:
        yield World(server)


SESSIONS = {"session", "second factor", "web"}
HOME = {"root", "user", "federated", "through"} | SESSIONS
ALL = HOME | {"service", "stranger"}
TEAM = f"arn:aws:iam::{ACCOUNT}"
CASES = [
    ("ArnEquals", "aws:PrincipalArn", f"{TEAM}:user/team/alice", {"user"}),
    ("ArnLike", "aws:PrincipalArn", f"{TEAM}:role/team/*", SESSIONS),
    ("StringEquals", "aws:PrincipalArn", ROOT, {"root", "through"}),
    ("StringEquals", "aws:PrincipalAccount", OTHER, {"stranger"}),
    ("StringEquals", "kms:CallerAccount", ACCOUNT, HOME),
    ("StringEquals", "kms:CallerAccount", OTHER, {"stranger"}),
    ("StringEquals", "aws:PrincipalType", "User", {"user", "stranger"}),
    ("StringEquals", "aws:PrincipalType", "AssumedRole", SESSIONS),
    ("StringEquals", "aws:PrincipalType", "FederatedUser", {"federated"}),
    ("StringEquals", "aws:PrincipalType", "Account", {"root", "through"}),
    ("StringEquals", "aws:PrincipalType", "Service", {"service"}),
    ("StringEquals", "aws:username", "alice", {"user"}),
    ("StringEquals", "aws:userid", "{user}", {"user"}),
    ("StringEquals", "aws:userid", "{session}:work", {"session"}),
    ("StringEquals", "aws:userid", f"{ACCOUNT}:guest", {"federated"}),
    ("StringEquals", "aws:userid", ACCOUNT, {"root", "through"}),
    ("StringEquals", "aws:PrincipalTag/team", "storage", {"user"} | SESSIONS),
    ("StringEquals", "aws:PrincipalTag/Team", "guests", {"federated"}),
    ("StringEquals", "aws:PrincipalTag/Task", "t1", {"session"}),
    ("StringEquals", "aws:PrincipalOrgID", "{org}", HOME),
    ("ForAnyValue:StringEquals", "aws:PrincipalOrgPaths", "{path}", HOME),
    ("StringEquals", "aws:ResourceOrgID", "{org}", ALL),
    ("ForAnyValue:StringEquals", "aws:ResourceOrgPaths", "{path}", ALL),
    ("StringEquals", "aws:ResourceAccount", ACCOUNT, ALL),
    ("StringEquals", "aws:ResourceAccount", OTHER, set()),
    ("Bool", "aws:PrincipalIsAWSService", "true", {"service"}),
    ("Bool", "aws:PrincipalIsAWSService", "false", ALL - {"service"}),
    ("StringEquals", "aws:PrincipalServiceName", SERVICE, {"service"}),
    ("StringEquals", "aws:PrincipalServiceName", DEPUTY, set()),
    ("ForAnyValue:StringEquals", "aws:PrincipalServiceNamesList", SERVICE, {"service"}),
    ("DateGreaterThanEquals", "aws:TokenIssueTime", "2020-01-01T00:00:00Z", SESSIONS | {"federated"}),
    ("DateLessThan", "aws:TokenIssueTime", "2020-01-01T00:00:00Z", set()),
    ("Bool", "aws:MultiFactorAuthPresent", "true", {"second factor"}),
    ("Bool", "aws:MultiFactorAuthPresent", "false", {"session", "web", "federated"}),
    ("NumericEquals", "aws:MultiFactorAuthAge", "600", {"second factor"}),
    ("NumericLessThan", "aws:MultiFactorAuthAge", "600", set()),
    ("StringEquals", "aws:FederatedProvider", PROVIDER, {"web"}),
    ("StringEquals", "aws:SourceIdentity", "alice", {"session"}),
    ("StringLike", "aws:UserAgent", "*Boto3*", ALL),
    ("StringLike", "aws:UserAgent", "*curl*", set()),
    ("IpAddress", "aws:SourceIp", "127.0.0.1/32", ALL),
    ("IpAddress", "aws:SourceIp", "10.0.0.0/8", set()),
    ("Bool", "aws:SecureTransport", "false", ALL),
    ("Bool", "aws:SecureTransport", "true", set()),
    ("DateEquals", "aws:CurrentTime", "2027-01-15T08:00:00Z", ALL),
    ("DateGreaterThan", "aws:CurrentTime", "2027-01-15T08:00:00Z", set()),
    ("NumericEquals", "aws:EpochTime", "1800000000", ALL),
    ("StringEquals", "aws:RequestedRegion", "us-east-1", ALL),
    ("StringEquals", "aws:RequestedRegion", "eu-west-1", set()),
    ("Bool", "aws:ViaAWSService", "true", {"through"}),
    ("Bool", "aws:ViaAWSService", "false", ALL - {"through"}),
    ("ForAnyValue:StringEquals", "aws:CalledVia", DEPUTY, {"through"}),
    ("StringEquals", "aws:CalledViaFirst", DEPUTY, {"through"}),
    ("StringEquals", "aws:CalledViaLast", DEPUTY, {"through"}),
    ("StringEquals", "kms:ViaService", "rds.us-east-1.amazonaws.com", {"through"}),
    ("StringEquals", "kms:ViaService", "s3.us-east-1.amazonaws.com", set()),
    ("ArnEquals", "aws:SourceArn", GROUP, {"service"}),
    ("StringEquals", "aws:SourceAccount", ACCOUNT, {"service"}),
    ("StringEquals", "aws:SourceAccount", OTHER, set()),
    ("StringEquals", "aws:SourceOrgID", "{org}", {"service"}),
    ("ForAnyValue:StringEquals", "aws:SourceOrgPaths", "{path}", {"service"}),
]
"""Operator, key, value, and the callers for whom it holds."""


@pytest.mark.parametrize(
    ("operator", "key", "value", "holders"),
    CASES,
    ids=[f"{row[1]}-{number}" for number, row in enumerate(CASES)],
)
def test_a_caller_has_the_value_or_is_refused(world, operator, key, value, holders):
    told = value.format(**world.ids, org=world.org, path=world.path)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    when = {"Condition": {operator: {key: told}}}
    assert world.let_in(world.key(statement | when)) == holders
    denying = statement | when | {"Effect": "Deny"}
    assert world.let_in(world.key(statement, denying)) == ALL - holders


# ---------------------------------------------------------------------- none is left out

ELSEWHERE = {
    "kms:PolicyName": "kms/test_kms_tags.py::test_a_policy_condition_can_ask_for_the_policys_name",
    "kms:GrantIsForAWSResource": (
        "enforcement/test_enforcement_values.py::test_what_only_a_service_brings_along"
    ),
}
"""Keys whose values need more than a table's row, and the tests that give it."""


def given():
    """The condition keys and families that the server has a value for, by the reference."""
    text = (TESTS.parent / "docs" / "reference" / "condition-keys.md").read_text()
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("`").rstrip("…") for row in rows if row[3] == "yes"}


def test_every_condition_key_with_a_value_is_tested_by_it():
    asked = {row[2] for row in ROWS} | {row[1] for row in CASES}
    families = {name for name in given() if name.endswith((":", "/"))}
    covered = {next((f for f in families if key.startswith(f)), key) for key in asked}
    assert given() - covered == set(ELSEWHERE)
    for place in ELSEWHERE.values():
        file, test = place.split("::")
        assert f"def {test}(" in (TESTS / file).read_text()
