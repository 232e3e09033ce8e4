"""Names that differ only in case are read in every way by `simulate`, as the server reads them."""

import json

import pytest

from keystead.policy.readings import MOST
from keystead.policy.simulate import simulate

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DELEGATED = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
ALLOW = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
ORDERS = [{"level": "secret", "Level": "open"}, {"Level": "open", "level": "secret"}]


def answer(
    *identity, parameters=None, context=None, derive=True, grants=(), action="kms:Encrypt", **resource
):
    """What `simulate` says to a user with these statements, for a key that delegates to its account."""
    request = {"action": action, "resource": KEY, "resourceAccount": ACCOUNT, "context": context or {}}
    if parameters is not None:
        request["parameters"] = parameters
    case = {
        "principal": {"type": "user", "arn": f"arn:aws:iam::{ACCOUNT}:user/Alice"},
        "request": request,
        "resource": resource,
        "identityPolicies": [{"document": {"Statement": list(identity)}}],
        "resourcePolicy": {"document": {"Statement": [DELEGATED]}},
        "grants": list(grants),
        "options": {"deriveContext": derive},
    }
    return json.loads(simulate(json.dumps(case)))


def when(effect, **condition):
    return ALLOW | {"Effect": effect, "Condition": {"StringEquals": condition}}


LEVEL = "kms:EncryptionContext:level"
SECRET = when("Deny", **{LEVEL: "secret"})


@pytest.mark.parametrize("pairs", ORDERS)
def test_a_second_name_hides_nothing_from_a_deny_and_the_reading_it_denies_is_shown(pairs):
    told = answer(ALLOW, SECRET, parameters={"EncryptionContext": pairs})
    assert told["decision"] == "explicitDeny"
    assert told["context"][LEVEL] == "secret"
    assert "kms:EncryptionContext:Level" not in told["context"]
    assert sorted(told["context"]["kms:EncryptionContextKeys"]) == ["Level", "level"]
    assert answer(ALLOW, parameters={"EncryptionContext": pairs})["decision"] == "allowed"


@pytest.mark.parametrize("pairs", ORDERS)
def test_an_allow_holds_for_both_names_or_not_at_all(pairs):
    parameters = {"EncryptionContext": pairs}
    assert answer(when("Allow", **{LEVEL: "open"}), parameters=parameters)["decision"] == "implicitDeny"
    assert (
        answer(when("Allow", **{LEVEL: ["open", "secret"]}), parameters=parameters)["decision"] == "allowed"
    )
    # What a Deny says goes before what merely lacks, whichever reading comes first.
    told = answer(when("Allow", **{LEVEL: "secret"}), when("Deny", **{LEVEL: "open"}), parameters=parameters)
    assert told["decision"] == "explicitDeny"


@pytest.mark.parametrize("pairs", ORDERS)
def test_a_context_that_is_given_whole_is_read_in_the_same_way(pairs):
    context = {f"kms:EncryptionContext:{name}": text for name, text in pairs.items()}
    assert answer(ALLOW, SECRET, context=context, derive=False)["decision"] == "explicitDeny"
    assert (
        answer(when("Allow", **{LEVEL: "open"}), context=context, derive=False)["decision"] == "implicitDeny"
    )


@pytest.mark.parametrize("derive", [True, False])
@pytest.mark.parametrize("pairs", ORDERS)
def test_a_grant_s_constraint_holds_for_both_names(pairs, derive):
    grant = {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:user/Alice", "Operations": ["Encrypt"]}
    grant["Constraints"] = {"EncryptionContextSubset": {"level": "open"}}
    given = {"context": {f"kms:EncryptionContext:{name}": text for name, text in pairs.items()}}
    if derive:
        given = {"parameters": {"EncryptionContext": pairs}}
    told = answer(grants=[grant], derive=derive, **given)
    assert told["decision"] == "implicitDeny"
    alone = {"level": "open"}
    given = {"parameters": {"EncryptionContext": alone}} if derive else {"context": {LEVEL: "open"}}
    assert answer(grants=[grant], derive=derive, **given)["decision"] == "allowed"


@pytest.mark.parametrize("names", [("Team", "team"), ("team", "Team")])
def test_tags_of_the_request_and_of_the_key_hide_nothing(names):
    rows = [{"TagKey": name, "TagValue": text} for name, text in zip(names, ("secret", "open"), strict=True)]
    asked = {"action": "kms:TagResource", "parameters": {"Tags": rows}}
    assert (
        answer(ALLOW, when("Deny", **{"aws:RequestTag/team": "secret"}), **asked)["decision"]
        == "explicitDeny"
    )
    tags = dict(zip(names, ("secret", "open"), strict=True))
    assert answer(ALLOW, when("Deny", **{"aws:ResourceTag/team": "secret"}), tags=tags)["decision"] == (
        "explicitDeny"
    )
    assert answer(when("Allow", **{"aws:ResourceTag/team": "open"}), tags=tags)["decision"] == "implicitDeny"


def test_more_readings_than_a_request_may_have_are_an_error():
    spelt = ["".join(c.upper() if n >> i & 1 else c for i, c in enumerate("a" * 7)) for n in range(MOST + 1)]
    told = answer(ALLOW, parameters={"EncryptionContext": dict.fromkeys(spelt, "x")})
    assert told["error"]["type"] == "InvalidCase"
    assert "differ only in case" in told["error"]["message"]
    fewer = dict.fromkeys(spelt[:MOST], "x")
    assert answer(ALLOW, parameters={"EncryptionContext": fewer})["decision"] == "allowed"
