"""What callers may do when all policies and grants are put together, against the evaluator asked request by request."""

import json
import random

import msgspec
import pytest
from random_policies import HERE, THERE
from random_worlds import ARN, SESSION, USER, requests, world

from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.duties import duties
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.internal import internal_access
from keystead.analysis.questions.who_can import allows, who_can
from keystead.policy import (
    Grant,
    Policies,
    decide,
)
from keystead.policy.actions import ACTIONS
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.request import Principal


@pytest.mark.parametrize("part", range(3))
def test_what_the_evaluator_allows_is_found(part):
    """The reverse needs no test: each way in holds a request that the evaluator has confirmed."""
    allowed = 0
    for seed in range(part * 200, (part + 1) * 200):
        chance = random.Random(seed)
        key, standing, keys = world(chance)
        found = {operation for one in who_can(key, [standing]) for operation in one.operations}
        inside = internal_access(key, standing)
        assert {operation for one in inside for operation in one.actions} == found, seed
        held = Policies(
            resource=key.policy, grants=key.grants, resource_control=key.resource_control,
            **{name: getattr(standing.policies, name) for name in ("identity", "group", "boundary", "session", "service_control")},
        )  # fmt: skip
        for request in requests(chance, key, standing, keys, 40):
            if decide(request, held).allowed:
                allowed += 1
                assert request.action in found, (seed, request)
    assert allowed > 200


def test_access_from_inside_is_told_once_with_the_fewest_conditions_and_shown_by_a_request():
    further = 0
    for seed in range(600):
        key, standing, _ = world(random.Random(seed))
        held = msgspec.structs.replace(
            standing.policies, resource=key.policy, grants=key.grants, resource_control=key.resource_control
        )
        found = internal_access(key, standing)
        further += len(found) > 1
        assert len({one.conditions for one in found}) == len(found)
        for one in found:
            assert [witness.action for witness in one.witnesses] == [*one.actions]
            assert all(allows(held, witness) for witness in one.witnesses)
            for other in found:
                if set(other.conditions) < set(one.conditions):
                    assert not set(one.actions) & set(other.actions) or held.boundary or held.service_control
    assert further > 10


def key_of(*statements, grants=()):
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return Key(arn=ARN, account=HERE, policy=compile_key_policy(text), grants=grants)


def allow(principal, *actions, effect="Allow", **condition):
    made = {"Effect": effect, "Principal": principal, "Action": list(actions), "Resource": "*"}
    return made | ({"Condition": condition} if condition else {})


def test_a_key_tells_who_may_do_what_and_why():
    key = key_of(
        allow(
            {"AWS": SESSION.role_arn},
            "kms:Decrypt",
            StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"},
        )
    )
    (found,) = who_can(key, [Standing(principal=SESSION)])
    assert found.operations == ("kms:Decrypt",)
    assert [(one.operator, one.values) for one in found.conditions] == [
        ("StringEquals", ("s3.us-east-1.amazonaws.com",))
    ]
    assert found.sources[0].statement == 0


def test_an_operation_under_a_condition_that_it_never_has_is_not_allowed():
    key = key_of(
        allow({"AWS": USER.arn}, "kms:Sign", "kms:Decrypt", StringEquals={"kms:EncryptionContext:a": "b"})
    )
    (found,) = who_can(key, [Standing(principal=USER)])
    assert found.operations == ("kms:Decrypt",)


def test_duties_are_told_apart_and_one_step_is_named():
    admin = Principal(type="user", arn=f"arn:aws:iam::{HERE}:user/admin", account=HERE)
    people = [Standing(principal=one) for one in (USER, admin)]
    apart = key_of(allow({"AWS": USER.arn}, "kms:Decrypt"), allow({"AWS": admin.arn}, "kms:DisableKey"))
    assert duties(who_can(apart, people)) == ()
    step = key_of(allow({"AWS": admin.arn}, "kms:PutKeyPolicy"))
    assert [(one.kind, one.manages) for one in duties(who_can(step, people))] == [
        ("one-step", ("kms:PutKeyPolicy",))
    ]
    both = key_of(allow({"AWS": USER.arn}, "kms:Decrypt", "kms:DisableKey"))
    assert [(one.kind, one.principal) for one in duties(who_can(both, people))] == [("both", USER)]


def test_grants_made_by_services_only_are_no_duty():
    limited = allow(
        {"AWS": USER.arn}, "kms:CreateGrant", "kms:Decrypt", Bool={"kms:GrantIsForAWSResource": "true"}
    )
    only = [Standing(principal=USER)]
    assert duties(who_can(key_of(allow({"AWS": USER.arn}, "kms:Decrypt"), limited), only)) == ()
    open_one = allow({"AWS": USER.arn}, "kms:CreateGrant", "kms:Decrypt")
    assert [one.kind for one in duties(who_can(key_of(open_one), only))] == ["both"]


def test_access_from_outside_counts_grants_and_leaves_out_what_does_not_work_across_accounts():
    partner = f"arn:aws:iam::{THERE}:role/Partner"
    lent = Grant(
        grant_id="g", key_arn=ARN, grantee=partner, operations=frozenset({"Decrypt"}), issuing_account=HERE
    )
    key = key_of(
        allow({"AWS": [USER.arn, f"arn:aws:iam::{THERE}:user/Bob"]}, "kms:PutKeyPolicy", "kms:Encrypt"),
        grants=(lent,),
    )
    found = external_access(key, frozenset({HERE}))
    assert [(one.principal, one.actions, one.grant_id) for one in found] == [
        (f"arn:aws:iam::{THERE}:user/Bob", ("kms:Encrypt",), None), (partner, ("kms:Decrypt",), "g"),
    ]  # fmt: skip
    assert external_access(key, frozenset({HERE, THERE})) == ()


def test_a_deny_that_keeps_outsiders_away_is_seen():
    everyone = allow("*", "kms:*")
    mine = allow("*", "kms:*", effect="Deny", StringNotEquals={"aws:PrincipalAccount": HERE})
    (found,) = external_access(key_of(everyone), frozenset({HERE}))
    assert found.public
    assert external_access(key_of(everyone, mine), frozenset({HERE})) == ()


def test_every_action_that_is_asked_on_a_key_is_in_the_catalogue():
    from keystead.analysis.effective import ASKED

    assert {name.lower() for name, row in ACTIONS.items() if "key" in row.targets} - {
        "kms:retiregrant"
    } == ASKED
