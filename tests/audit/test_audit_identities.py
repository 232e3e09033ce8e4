"""Who called, as events tell it, for each way to have credentials; the cases are in `identities.json`.

Their form is that of the AWS CloudTrail User Guide, "CloudTrail userIdentity element". In them `<…>` stands for a
value of that kind; everything else must be there as it is, and nothing more.
"""

import json
import re
from pathlib import Path

import pytest

from keystead.testing.people import Person, allow

CASES = json.loads((Path(__file__).parent / "identities.json").read_text())
KINDS = {
    "<account>": r"\d{12}",
    "<federated>": r"arn:aws:sts::\d{12}:federated-user/bob",
    "<federated id>": r"\d{12}:bob",
    "<key>": r"AKIA[A-Z2-7]{16}|[A-Z0-9]{16,}",
    "<role>": r"arn:aws:iam::\d{12}:role/Auditor",
    "<role id>": r"AROA[A-Z0-9]{17}",
    "<root>": r"arn:aws:iam::\d{12}:root",
    "<session>": r"arn:aws:sts::\d{12}:assumed-role/Auditor/audit",
    "<session id>": r"AROA[A-Z0-9]{17}:audit",
    "<temporary>": r"ASIA[A-Z0-9]{16}",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<user>": r"arn:aws:iam::\d{12}:user/alice",
    "<user id>": r"AIDA[A-Z0-9]{17}",
}


def temporary(server, alice, answer):
    given = answer["Credentials"]
    return Person(
        arn="",
        account=alice.account,
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        token=given["SessionToken"],
        home=server,
    )


@pytest.fixture(scope="module")
def callers(server):
    alice = server.user("alice", {"all": allow("*")})
    role = server.role("Auditor", {"all": allow("*")})
    sts = alice.client("sts")
    return {
        "root": server.root(),
        "user": alice,
        "session token": temporary(server, alice, sts.get_session_token()),
        "role": temporary(server, alice, sts.assume_role(RoleArn=role.arn, RoleSessionName="audit")),
        "federated user": temporary(
            server, alice, sts.get_federation_token(Name="bob", Policy=json.dumps(allow("*")))
        ),
    }


def agree(expected, found):
    if isinstance(expected, dict):
        return set(expected) == set(found) and all(agree(expected[name], found[name]) for name in expected)
    if expected in KINDS:
        return re.fullmatch(KINDS[expected], found) is not None
    return expected == found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["caller"])
def test_the_identity_is_as_the_case_says(server, callers, case):
    callers[case["caller"]].client().list_keys()
    found = server.events()[-1]["userIdentity"]
    assert agree(case["userIdentity"], found), found
