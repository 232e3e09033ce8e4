"""What changes break, on random worlds: against the question that lists everything that each caller may do."""

import json
import random

import random_policies
from random_policies import HERE
from random_worlds import ARN, PEOPLE, compiled, world

from keystead.analysis.budget import Budget
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.duties import duties
from keystead.analysis.questions.external import confirms
from keystead.analysis.questions.holding import Holding
from keystead.analysis.questions.opened import opened
from keystead.analysis.questions.public import public_access
from keystead.analysis.questions.violations import Change, violations
from keystead.analysis.questions.who_can import who_can
from keystead.analysis.space import Universe
from keystead.policy import Policies, compile_policy, parse


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
            assert not confirms(
                Key(arn=ARN, account=HERE, policy=key.policy, grants=key.grants), one.witness
            ), seed
        assert opened(key, key, frozenset({HERE}), Budget()) == ()


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
