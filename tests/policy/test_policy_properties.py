"""Properties of decisions over generated worlds, and agreement with a second evaluator."""

import importlib.util
import json
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.policy import pattern
from keystead.policy.simulate import simulate

_spec = importlib.util.spec_from_file_location("policy_oracle", Path(__file__).with_name("policy_oracle.py"))
oracle = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(oracle)

HERE, THERE = "111122223333", "444455556666"
CALLERS = [
    {"type": "user", "arn": f"arn:aws:iam::{HERE}:user/Alice"},
    {"type": "user", "arn": f"arn:aws:iam::{THERE}:user/Carol"},
    {"type": "root", "arn": f"arn:aws:iam::{HERE}:root"},
    {"type": "root", "arn": f"arn:aws:iam::{THERE}:root"},
    {
        "type": "assumedRole",
        "arn": f"arn:aws:sts::{HERE}:assumed-role/Keys/s1",
        "roleArn": f"arn:aws:iam::{HERE}:role/p/Keys",
    },
    {"type": "service", "service": "logs.us-east-1.amazonaws.com"},
]
ENTRIES = [
    "*", HERE, HERE, THERE, f"arn:aws:iam::{HERE}:root", *(c["arn"] for c in CALLERS if "arn" in c),
    f"arn:aws:iam::{HERE}:role/p/Keys", f"arn:aws:iam::{HERE}:user/Bob",
]  # fmt: skip
ACTIONS = ["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:PutKeyPolicy"]
RESOURCES = [f"arn:aws:kms:us-east-1:{HERE}:key/{name}" for name in ("1234", "abcd")]


def subset(values, least=0):
    return st.lists(st.sampled_from(values), min_size=least, max_size=2)


def either(one, other, value):
    return st.tuples(st.sampled_from([one] * 5 + [other]), value).map(lambda pair: {pair[0]: pair[1]})


elements = st.one_of(
    st.just("*"), st.fixed_dictionaries({"AWS": subset(ENTRIES, 1)}),
    st.just({"Service": "logs.us-east-1.amazonaws.com"}),
)  # fmt: skip
operators = st.sampled_from([
    *oracle.RELATIONS, *oracle.NEGATIONS, "StringEqualsIfExists", "ForAllValues:StringLike",
    "ForAnyValue:StringEquals", "ForAnyValue:StringNotEquals", "ForAllValues:StringNotLike",
    "ForAnyValue:StringLikeIfExists",
])  # fmt: skip
wanted = subset(["a", "b", "a*", "?", "7", "12", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/r"])
keys = st.sampled_from(["aws:x", "AWS:Y", "kms:z"])
conditions = st.one_of(
    *[st.just({})] * 4,
    st.dictionaries(operators, st.dictionaries(keys, wanted, min_size=1, max_size=1), max_size=2),
    st.fixed_dictionaries({"Null": st.dictionaries(keys, st.sampled_from(["true", "false"]), max_size=1)}),
)


def documents(principal):
    parts = [
        st.fixed_dictionaries({"Effect": st.sampled_from(["Allow"] * 7 + ["Deny"])}),
        either(
            "Action",
            "NotAction",
            subset(["*", "*", "*", "kms:*", "kms:De*", "kms:?ncrypt", "s3:*", "k*:*", *ACTIONS], 1),
        ),
        either(
            "Resource",
            "NotResource",
            subset(["*", "*", "*", "arn:aws:kms:*:*:key/1*", "arn:aws:kms:*", *RESOURCES], 1),
        ),
        conditions.map(lambda condition: {"Condition": condition}),
    ]
    if principal:
        parts.append(either("Principal", "NotPrincipal", elements))
    statement = st.tuples(*parts).map(
        lambda dicts: {key: value for part in dicts for key, value in part.items()}
    )
    return st.lists(statement, max_size=3).map(lambda found: {"document": {"Statement": found}})


def broad(**principal):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"} | principal
    return st.builds(lambda: {"document": {"Statement": [dict(statement)]}})


identity = st.one_of(documents(principal=False), broad())
resource = st.one_of(
    documents(principal=True), broad(Principal={"AWS": [HERE, CALLERS[1]["arn"]]}), broad(Principal="*")
)


def levels(policy):
    return st.lists(st.fixed_dictionaries({"policies": st.lists(policy, min_size=1, max_size=2)}), max_size=1)


worlds = st.fixed_dictionaries({
    "principal": st.tuples(st.sampled_from(CALLERS), st.booleans()).map(
        lambda pair: pair[0] | {"isManagementAccount": pair[1]}
    ),
    "request": st.fixed_dictionaries({
        "action": st.sampled_from(ACTIONS),
        "resource": st.sampled_from(RESOURCES),
        "resourceAccount": st.just(HERE),
        "context": st.dictionaries(
            keys,
            st.one_of(
                st.sampled_from(["a", "b", "ab", "7", "9", "arn:aws:iam::1:role/r"]),
                st.lists(st.sampled_from(["a", "b", "7"]), max_size=2),
            ),
            max_size=2,
        ),
    }),
    "resource": st.fixed_dictionaries({"keyManager": st.sampled_from(["CUSTOMER", "CUSTOMER", "AWS"])}),
    "resourcePolicy": st.one_of(st.none(), resource, resource),
    "identityPolicies": st.lists(identity, max_size=2),
    "groupPolicies": st.lists(identity, max_size=1),
    "permissionsBoundary": st.one_of(st.none(), st.none(), identity),
    "sessionPolicies": st.lists(identity, max_size=1),
    "serviceControlPolicies": levels(identity),
    "resourceControlPolicies": levels(resource),
    "vpcEndpointPolicies": st.lists(resource, max_size=1),
    "grants": st.lists(
        st.fixed_dictionaries({
            "GranteePrincipal": st.sampled_from([
                f"arn:aws:iam::{HERE}:role/p/Keys", CALLERS[0]["arn"], CALLERS[1]["arn"], CALLERS[5]["service"],
            ]),
            "Operations": subset(["Decrypt", "Encrypt", "DescribeKey"]),
        }),
        max_size=1,
    ),
    "options": st.fixed_dictionaries({"trust": st.sampled_from(["keyPolicy", "keyPolicy", "standard"])}),
})  # fmt: skip


def decision(case):
    return json.loads(simulate(json.dumps(case)))["decision"]


@settings(max_examples=400, deadline=None)
@given(worlds)
def test_agrees_with_a_second_evaluator(case):
    assert decision(case) == oracle.decide(case)


@settings(max_examples=100, deadline=None)
@given(worlds, documents(principal=True))
def test_adding_a_deny_never_allows(case, added):
    denying = [statement | {"Effect": "Deny"} for statement in added["document"]["Statement"]]
    before = decision(case)
    case["resourcePolicy"] = case["resourcePolicy"] or {"document": {"Statement": []}}
    case["resourcePolicy"]["document"]["Statement"] += denying
    case["identityPolicies"] += [{"document": {"Statement": denying}}]
    assert before == "allowed" or decision(case) != "allowed"


@settings(max_examples=100, deadline=None)
@given(worlds, st.integers(0, 2**32))
def test_order_of_statements_and_policies_never_matters(case, seed):
    before, order = decision(case), random.Random(seed)
    held = [case["resourcePolicy"], case["permissionsBoundary"]]
    for name in ("identityPolicies", "groupPolicies", "sessionPolicies", "vpcEndpointPolicies"):
        order.shuffle(case[name])
        held += case[name]
    for policy in filter(None, held):
        order.shuffle(policy["document"]["Statement"])
    assert decision(case) == before


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?.\n", max_size=8), st.text("ab.\n", max_size=8))
def test_globs_agree_with_a_regular_expression(glob, text):
    assert pattern.glob(glob)(text) == oracle.like(glob, text)


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?:", max_size=12), st.text("ab:", max_size=12))
def test_arn_patterns_agree_part_by_part(glob, text):
    assert pattern.arn_matcher(pattern.tokens(glob))(text) == oracle.arn_like(glob, text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60), st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(["principal", "request", "type", "arn", "action", "resource", "context", "id"]), inner
    )), max_leaves=8,
).map(json.dumps)))  # fmt: skip
def test_every_line_has_an_answer(line):
    assert set(json.loads(simulate(line))) == {"id", "error"}
