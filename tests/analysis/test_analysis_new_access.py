"""Does a new key policy let anybody in: cases as data, agreement with brute force, and bounds on hostile policies."""

import json
import random
from pathlib import Path

import differential
import pytest
import random_policies

from keystead.analysis import Budget, Universe, new_access, public_access
from keystead.analysis.condition import OPERATORS
from keystead.errors import Undecided
from keystead.policy import compile_policy, condition, parse
from keystead.policy.keypolicy import compile_key_policy

DATA = json.loads((Path(__file__).parents[1] / "policies" / "analysis.json").read_text())
KEY = Universe(kms_only=True)


def key_policy(*statements):
    return compile_key_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(condition=None, principal="*", effect="Allow"):
    made = {"Effect": effect, "Principal": principal, "Action": "kms:*", "Resource": "*"}
    return made | ({"Condition": condition} if condition else {})


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["why"])
def test_cases(case):
    old, new = (key_policy(*DATA["policies"][case[name]]) for name in ("old", "new"))
    found = new_access(old, new, KEY)
    assert bool(found) is case["new_access"], found


def test_every_operator_has_its_twin():
    assert set(OPERATORS) == set(condition.OPERATORS)


@pytest.mark.parametrize("part", range(4))
def test_agrees_with_trying_every_request(part):
    for seed in range(part * 500, (part + 1) * 500):
        old, new = random_policies.pair(random.Random(seed))
        assert differential.disagreement(old, new) is None, seed


def test_the_statement_and_what_denied_before_are_named():
    old = key_policy(allow(), allow(principal={"AWS": "111122223333"}, effect="Deny"))
    (found,) = new_access(old, key_policy(allow()), KEY)
    assert (found.statement, found.denied_by) == (0, 1)
    assert found.witness.principal.account == "111122223333"


PEOPLE = Universe(types=("user", "assumedRole", "federatedUser"))
HOME, BUCKET = "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/*"


def identity(resource="*", **condition):
    made = {"Effect": "Allow", "Action": "s3:*", "Resource": resource, "Condition": condition}
    return compile_policy(parse(json.dumps({"Version": "2012-10-17", "Statement": [made]})))


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        (identity(BUCKET), identity(HOME), False),
        (identity(HOME), identity(BUCKET), True),
        (identity("arn:aws:s3:::c/*"), identity(HOME), True),
        (identity(HOME), identity(HOME), False),
        (
            identity(StringLike={"s3:prefix": "home/*"}),
            identity(StringLike={"s3:prefix": "home/${aws:username}/*"}),
            False,
        ),
        (
            identity(StringLike={"s3:prefix": "x/${aws:username}"}),
            identity(StringLike={"s3:prefix": "x/*"}),
            True,
        ),
        (identity(), identity(StringNotEquals={"aws:ResourceTag/o": "${aws:username}"}), False),
        (identity(StringNotEquals={"aws:ResourceTag/o": "${aws:username}"}), identity(), True),
        (
            identity(StringNotLike={"aws:ResourceTag/o": "x${aws:username}"}),
            identity(StringLike={"aws:ResourceTag/o": "y*"}),
            False,
        ),
        (
            identity(StringLike={"s3:prefix": "a${*}*"}),
            identity(StringEquals={"s3:prefix": "a*${aws:username}"}),
            False,
        ),
    ],
)
def test_variables_are_bounded_by_a_star_in_their_place(old, new, wider):
    assert bool(new_access(old, new, PEOPLE, naming=False)) is wider


def words(count, length):
    letters = random.Random(count)
    return [
        "".join(letters.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(length)) for _ in range(count)
    ]


def contains(key, count):
    return [allow({"StringLike": {key: f"*{word}*"}}, effect="Deny") for word in words(count, 3)]


HOSTILE = {
    "many patterns that a value may contain": contains("kms:ViaService", 40),
    "more of them": contains("kms:ViaService", 200),
    "of names": contains("aws:username", 30),
    "of members": [allow({"ForAllValues:StringLike": {"aws:TagKeys": f"*{word}*"}}) for word in words(14, 2)],
    "question marks": [allow({"StringLike": {"kms:ViaService": f"*a{'?' * n}b"}}) for n in range(1, 30)],
    "a long pattern": [allow({"StringLike": {"kms:ViaService": f"*a{'?' * 20000}b*"}})],
    "a number beyond use": [allow({"NumericLessThan": {"kms:RotationPeriodInDays": "1e999999"}})],
    "patterns of addresses": [allow({"StringLike": {"aws:SourceIp": "10.*"}})],
    "a covering that takes many cuts": [
        allow({"StringEquals": {f"kms:EncryptionContext:k{i % 40}": "v", f"kms:EncryptionContext:k{(i * 7 + 3) % 40}": "w"}})
        for i in range(150)
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_too_hard_is_an_error_and_never_an_answer(name):
    hard = key_policy(*HOSTILE[name], allow({"Null": {"kms:EncryptionContext:k1": "false"}}))
    with pytest.raises(Undecided):
        new_access(key_policy(*HOSTILE[name]), hard, KEY)


def test_the_largest_plain_policies_take_a_small_part_of_the_work():
    arns = [f"arn:aws:iam::{123456789012 + index}:role/{word}" for index, word in enumerate(words(600, 8))]
    budget = Budget()
    before, after = (key_policy(allow(principal={"AWS": part})) for part in (arns[1:], arns))
    (found,) = new_access(before, after, KEY, budget=budget)
    assert found.witness.principal.role_arn == arns[0]
    assert budget.left > 0.9 * Budget().left


def test_tries_that_variables_ask_for_are_counted():
    """Each takes as long as there are keys and variables: hundreds of both would take many seconds unseen."""
    tags = [
        allow({"StringLike": {f"aws:PrincipalTag/t{i}": f"*${{aws:PrincipalTag/u{i}}}*"}}) for i in range(150)
    ]
    budget = Budget()
    with pytest.raises(Undecided, match="limit of work"):
        public_access(key_policy(*tags), KEY, budget)
