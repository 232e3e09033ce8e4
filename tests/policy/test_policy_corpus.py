"""The cases of tests/policies, each answered through `simulate`."""

import json
from pathlib import Path

import pytest

from keystead.policy.simulate import simulate

POLICIES = Path(__file__).parents[1] / "policies"
ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234"


def load(name):
    return json.loads((POLICIES / name).read_text("utf-8"))


DECISIONS = load("decisions.json")


def answer(case):
    return json.loads(simulate(json.dumps(case)))


def request(**parts):
    return {"action": "kms:Decrypt", "resource": KEY, "resourceAccount": ACCOUNT, "context": {}} | parts


def policy(document, name="p"):
    return {"name": name, "document": document}


def labels(rows):
    return [pytest.param(row, id=f"{number}-{row.get('name', '')}") for number, row in enumerate(rows)]


# ------------------------------------------------------------------------ statements


def outcome(effect, row):
    """What a statement decides alone, as the identity policy of a user on the standard trust."""
    statement = {"Effect": effect, "Action": "kms:*", "Resource": "*"} | row
    document = {"Version": row.get("version", "2012-10-17"), "Statement": [statement]}
    parts = {name: row[name] for name in ("action", "resource", "context") if name in row}
    case = {
        "principal": {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"},
        "request": request(**parts),
        "identityPolicies": [policy(document)],
        "options": {"trust": "standard"},
    }
    return answer(case)["decision"]


@pytest.mark.parametrize("row", labels(load("operators.json")))
def test_operator(row):
    row = row | {"Condition": row["condition"]}
    assert outcome("Allow", row) == ("allowed" if row["holds"] else "implicitDeny")
    assert outcome("Deny", row) == ("explicitDeny" if row["holds"] else "implicitDeny")


@pytest.mark.parametrize("row", labels(load("elements.json")))
def test_element(row):
    statement = {"Effect": "Allow"} | row["statement"]
    parts = {name: row[name] for name in ("action", "resource", "context") if name in row}
    for effect, matched in (("Allow", "allowed"), ("Deny", "explicitDeny")):
        case = {
            "principal": {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"},
            "request": request(**parts),
            "identityPolicies": [
                policy(
                    {"Version": row.get("version", "2012-10-17"), "Statement": statement | {"Effect": effect}}
                )
            ],
            "options": {"trust": "standard"},
        }
        assert answer(case)["decision"] == (matched if row["matches"] else "implicitDeny")


PRINCIPALS = load("principals.json")


@pytest.mark.parametrize("row", labels(PRINCIPALS["rows"]))
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_principal_element(row, effect):
    names = {"principal": "Principal", "notPrincipal": "NotPrincipal"}
    element = {names[name]: row[name] for name in names if name in row}
    statement = {"Effect": effect, "Action": "kms:*", "Resource": "*"} | element
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    case = {
        "principal": PRINCIPALS["callers"][row["caller"]],
        "request": request(),
        "resourcePolicy": policy({"Statement": [statement]}),
    }
    if row.get("boundary"):
        case["permissionsBoundary"] = policy({"Statement": allow})
    expected = {"Allow": "allowed", "Deny": "explicitDeny"}[effect]
    assert answer(case)["decision"] == (expected if row[effect.lower()] else "implicitDeny")


# ------------------------------------------------------------------------- decisions

LISTS = ("identityPolicies", "groupPolicies", "sessionPolicies", "vpcEndpointPolicies")
SINGLES = ("resourcePolicy", "permissionsBoundary")
LEVELS = ("serviceControlPolicies", "resourceControlPolicies")


def named(name):
    return policy(DECISIONS["policies"][name], name)


def expand(row):
    case = {
        "id": row.get("name"),
        "principal": DECISIONS["callers"][row["caller"]] | row.get("principal", {}),
        "request": request(**row.get("request", {})),
        "resource": row.get("resource"),
        "options": row.get("options"),
    }
    case |= {name: named(row[name]) for name in SINGLES if name in row}
    case |= {name: [named(entry) for entry in row[name]] for name in LISTS if name in row}
    for name in LEVELS:
        levels = row.get(name, ())
        case[name] = [{"target": "t", "policies": [named(entry) for entry in level]} for level in levels]
    if "grant" in row:
        case["grants"] = [{"GrantId": "g-1", "Operations": ["Decrypt"]} | row["grant"]]
    return case


@pytest.mark.parametrize("row", labels(DECISIONS["cases"]))
def test_decision(row):
    given = answer(expand(row))
    assert (given["decision"], given["decidedBy"]["policyType"]) == (row["is"], row["by"])
    assert given["id"] == row["name"]
    assert ("message" in given) == (row["is"] != "allowed")
    if row["is"] == "implicitDeny":
        assert given["decidedBy"].keys() == {"policyType"}
    elif row["by"] == "grant":
        assert given["decidedBy"]["grantId"] == "g-1"


@pytest.mark.parametrize("row", labels(load("messages.json")))
def test_message(row):
    assert answer(expand(row))["message"] == row["message"]


# -------------------------------------------------------------------------- contexts


@pytest.mark.parametrize("row", labels(load("contexts.json")))
def test_context_is_derived(row):
    case = {
        "principal": {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"},
        "options": {"deriveContext": True},
    } | row["case"]
    case["request"] = request() | case.get("request", {})
    context = answer(case)["context"]
    assert {name: context.get(name) for name in row["has"]} == row["has"]
    assert not set(row.get("lacks", ())) & set(context)
