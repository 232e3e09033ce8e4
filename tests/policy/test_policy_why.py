"""Explanations of refusals: what is suggested would allow, and is the smallest that was tried."""

import json

import pytest

from keystead.policy import decide
from keystead.policy.case import read
from keystead.policy.why import explain_decision

HERE, THERE = "111122223333", "444455556666"
ALICE = f"arn:aws:iam::{HERE}:user/Alice"
KEY = f"arn:aws:kms:us-east-1:{HERE}:key/1234"
DELEGATED = {"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "kms:*", "Resource": "*"}
FINANCE = {"kms:EncryptionContext:department": "finance"}


def allow(action="kms:Decrypt", **more):
    return {"Effect": "Allow", "Action": action, "Resource": "*"} | more


def explained(resource=(DELEGATED,), identity=(), context=None, action="kms:Decrypt", **members):
    pairs = context or {}
    case = read({
        "principal": {"type": "user", "arn": ALICE},
        "request": {
            "action": action, "resource": KEY, "resourceAccount": HERE,
            "context": {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()},
            "parameters": {"EncryptionContext": pairs},
        },
        "resourcePolicy": {"name": "default", "document": {"Statement": list(resource)}},
        "identityPolicies": [{"name": "p", "document": {"Statement": list(identity)}}],
        **members,
    })  # fmt: skip
    (reading,) = case.readings
    assert not decide(reading.request, case.policies).allowed
    return explain_decision(reading.request, case.policies)


def texts(explanation):
    return [change.text for change in explanation.changes]


GRANT = {"GrantId": "g-1", "GranteePrincipal": ALICE, "Operations": ["Decrypt"]}


@pytest.mark.parametrize("kind", ["EncryptionContextSubset", "EncryptionContextEquals"])
def test_a_grant_whose_constraint_is_not_met_is_shown_and_what_would_meet_it(kind):
    grant = {**GRANT, "Constraints": {kind: {"department": "finance"}}}
    told = explained(resource=(), context={"department": "sales"}, grants=[grant])
    (row,) = told.considered
    assert (row.policy_type, row.policy, row.statement) == ("grant", "g-1", None)
    (unmet,) = row.unmet
    assert unmet.element == f"Constraint {kind}"
    assert json.loads(unmet.wanted) == {"department": "finance"}
    assert json.loads(unmet.seen) == {"department": "sales"}
    (text,) = texts(told)
    assert text == (
        'make the request with the encryption context {"department": "finance"}, as the grant g-1 asks'
    )


def test_a_grant_to_somebody_else_is_not_shown():
    grant = {**GRANT, "GranteePrincipal": f"arn:aws:iam::{HERE}:user/Bob"}
    assert [row.policy_type for row in explained(resource=(), grants=[grant]).considered] == []


def test_a_deny_unless_something_is_asked_is_met_by_asking():
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": FINANCE}}
    told = explained(identity=(allow(), deny))
    (text,) = texts(told)
    assert text == (
        "make the request with kms:EncryptionContext:department = finance, "
        "as statement 1 of the identity policy p asks"
    )


def test_a_deny_about_the_caller_is_narrowed_instead():
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    condition = {"StringNotEquals": {"aws:PrincipalTag/team": "blue"}}
    told = explained(identity=(allow(), {**deny, "Condition": condition}))
    assert texts(told) == ["remove or narrow statement 1 of the identity policy p, which denies it"]


def test_an_endpoint_whose_policy_is_silent():
    told = explained(identity=(allow(),), vpcEndpointPolicies=[{"name": "e", "document": {"Statement": []}}])
    (change,) = told.changes
    assert change.policy_type == "vpcEndpoint"
    assert change.statement == {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY}


def test_retiring_is_delegated_by_an_identity_policy():
    grant = {"GrantId": "g-1", "GranteePrincipal": f"arn:aws:iam::{HERE}:user/Bob", "Operations": ["Decrypt"]}
    told = explained(action="kms:RetireGrant", grants=[grant])
    assert texts(told) == [f"add a statement to an identity policy of {ALICE}"]


def test_nobody_can_be_helped_across_accounts_where_an_operation_does_not_cross():
    case = read(
        {
            "principal": {"type": "user", "arn": f"arn:aws:iam::{THERE}:user/Carol"},
            "request": {"action": "kms:PutKeyPolicy", "resource": KEY, "resourceAccount": HERE},
        }
    )
    assert explain_decision(case.readings[0].request, case.policies).changes == ()


def test_everything_that_lacks_is_told_together():
    level = {"target": "r", "policies": []}
    told = explained(
        resource=(),
        permissionsBoundary={"document": {"Statement": []}},
        sessionPolicies=[{"document": {"Statement": []}}],
        serviceControlPolicies=[level],
    )
    assert [change.policy_type for change in told.changes] == ["scp", "resource"]
