"""What changes break, on random worlds: against the question that lists everything that each caller may do."""

import itertools
import json
import random

import random_policies
from random_policies import HERE, THERE
from random_worlds import ARN, PEOPLE, compiled, requests, world

from keystead.analysis.budget import Budget
from keystead.analysis.condition_keys import of_caller
from keystead.analysis.effective import ASKED, CROSS_ACCOUNT, Key, Standing
from keystead.analysis.evaluate import admits
from keystead.analysis.questions.change import Change
from keystead.analysis.questions.duties import duties
from keystead.analysis.questions.external import confirms
from keystead.analysis.questions.holding import Holding
from keystead.analysis.questions.opened import opened
from keystead.analysis.questions.public import public_access
from keystead.analysis.questions.taken_on import Trust, taken_on
from keystead.analysis.questions.violations import violations
from keystead.analysis.questions.who_can import who_can
from keystead.analysis.space import Universe
from keystead.policy import AuthorizationRequest, Policies, compile_policy, parse
from keystead.policy.request import Principal


def broken(change, *kinds):
    return [(one.kind, one.witness is not None) for one in violations(change, kinds, Budget())]


def test_who_holds_both_duties_is_found_as_by_listing_everything():
    for seed in range(150):
        key, standing, _ = world(random.Random(seed))
        listed = [one for one in duties(who_can(key, [standing])) if one.kind == "both"]
        assert (Holding(key, standing, Budget()).duties() is not None) == bool(listed), seed
        if standing.principal.type == "root" or standing.principal.account != HERE:
            continue
        new = Change(
            before=None, after=key, people_before=[standing], people_after=[standing], zone=frozenset({HERE})
        )
        found = [
            one for one in violations(new, ["duties"], Budget()) if standing.principal.arn in one.message
        ]
        assert bool(found) == bool(listed), seed


def test_what_is_opened_was_closed_and_a_change_that_opens_nothing_is_proven():
    for seed in range(150):
        chance = random.Random(seed)
        key, _, keys = world(chance)
        after = Key(
            arn=ARN,
            account=HERE,
            policy=compiled([random_policies.statement(chance, keys) for _ in range(chance.randint(1, 4))]),
        )
        change = Change(before=key, after=after, people_before=[], people_after=[], zone=frozenset({HERE}))
        found = opened(key, after, frozenset({HERE}), Budget())
        assert bool(found) == bool(broken(change, "outside")), seed
        public = public_access(after.policy, Universe(kms_only=True, resource=ARN))
        fresh = Change(before=None, after=after, people_before=[], people_after=[], zone=frozenset({HERE}))
        assert bool(public) == bool(broken(fresh, "public")), seed
        for one in found:
            assert confirms(after, one.witness), seed
            assert not confirms(key, one.witness), seed
        assert opened(key, key, frozenset({HERE}), Budget()) == ()


def test_who_is_let_in_anew_is_found():
    """The other direction: no request of somebody outside is let in anew where nothing was found to be opened."""
    let_in = 0
    for seed in range(150):
        chance = random.Random(seed)
        (before, _, keys), (after, _, _) = world(chance), world(chance)
        if opened(before, after, frozenset({HERE}), Budget()):
            continue
        stranger = Standing(principal=chance.choice([one for one in PEOPLE if one.account not in ("", HERE)]))
        for request in requests(chance, after, stranger, keys, 40):
            if request.action.lower() in ASKED & CROSS_ACCOUNT and confirms(after, request):
                let_in += 1
                assert confirms(before, request), (seed, request)
    assert let_in > 20


def test_what_outsiders_can_take_on_is_found_and_shown():
    asked = ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity")
    told, role = 0, f"arn:aws:iam::{HERE}:role/App"
    for seed in range(150):
        chance = random.Random(seed)
        before, after = (_trust(chance) for _ in range(2))
        found = taken_on(Trust(before), Trust(after), role, frozenset({HERE}), Budget())
        if found is not None:
            told += 1
            assert admits(after, found.witness), seed
            assert not admits(before, found.witness), seed
            continue
        for caller in (PEOPLE[3], Principal(type="webIdentity", provider="login.example.com")):
            for action, external in itertools.product(asked, ("a", "b", None)):
                request = AuthorizationRequest(
                    principal=caller, action=action, resource=role, account=HERE,
                    context=of_caller(caller) | ({} if external is None else {"sts:externalid": external}),
                )  # fmt: skip
                if (action == asked[1]) == (caller.type == "webIdentity") and admits(after, request):
                    assert admits(before, request), (seed, request)
    assert 20 < told < 130


def _trust(chance):
    made = []
    for _ in range(chance.randint(1, 3)):
        who = chance.choice(["*", {"AWS": THERE}, {"AWS": HERE}, {"Federated": "login.example.com"}])
        what = chance.choice(["sts:*", "sts:AssumeRole", "sts:AssumeRoleWith*", "*"])
        one = {"Effect": chance.choice(["Allow", "Allow", "Deny"]), "Principal": who, "Action": what}
        if chance.random() < 0.5:
            operator = chance.choice(["StringEquals", "StringNotEquals"])
            one["Condition"] = {operator: {"sts:ExternalId": chance.choice(["a", "b"])}}
        made.append(one)
    return policy(*made)


def policy(*statements):
    return compile_policy(parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)})))


def test_statements_that_deny_are_no_duty():
    everybody = {"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "kms:*", "Resource": "*"}
    barred = {"Effect": "Deny", "Principal": {"AWS": PEOPLE[0].arn}, "Action": "kms:Decrypt", "Resource": "*"}
    own = policy({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:PutKeyPolicy"], "Resource": "*"})
    people = [Standing(principal=PEOPLE[0], policies=Policies(identity=(own,)))]
    closed = Key(arn=ARN, account=HERE, policy=policy(everybody, barred))
    opener = Key(arn=ARN, account=HERE, policy=policy(everybody))
    given = {"people_before": people, "people_after": people, "zone": frozenset({HERE})}
    assert broken(Change(before=opener, after=closed, **given), "duties", "lockout") == []
    assert broken(Change(before=closed, after=opener, **given), "duties", "lockout") == [("duties", True)]
