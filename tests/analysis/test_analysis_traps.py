"""Where checks of policies go wrong: cases for each trap on both sides, none of which is told wrongly.

Public is as docs/how-to/analyze-policies.md says: what a caller of an account that the policy does not name can have.
"""

import json

import pytest

from keystead.analysis import Access, Universe, access_granted, new_access, public_access
from keystead.analysis.effective import Key, Standing
from keystead.analysis.evaluate import admits
from keystead.analysis.questions.external import confirms, external_access
from keystead.analysis.questions.who_can import who_can
from keystead.policy import Grant, Policies, compile_policy, parse
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.request import Principal

HERE, THERE = "111122223333", "444455556666"
ARN = f"arn:aws:kms:eu-west-1:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = Universe(kms_only=True, resource=ARN)
ORG, PATHS, ARNS, IP = "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:SourceArn", "aws:SourceIp"


def allow(principal="*", action="kms:Decrypt", effect="Allow", **condition):
    who = principal if principal == "*" or isinstance(principal, dict) else {"AWS": principal}
    made = {"Effect": effect, "Principal": who, "Action": action, "Resource": "*"}
    return made | ({"Condition": condition} if condition else {})


def deny(principal="*", action="kms:*", **condition):
    return allow(principal, action, "Deny", **condition)


def but(*listed, effect="Allow", **condition):
    made = {"Effect": effect, "NotPrincipal": {"AWS": list(listed)}, "Action": "kms:*", "Resource": "*"}
    return made | ({"Condition": condition} if condition else {})


def key_policy(*statements):
    return compile_key_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


PUBLIC = [  # trap, is it public, statements
    ("everyone", True, [allow()]),
    ("everyone", True, [allow({"AWS": ["*", HERE]})]),
    ("everyone", False, [allow(HERE)]),
    ("everyone", False, [allow(THERE)]),
    ("everyone", False, [allow(f"arn:aws:iam::{THERE}:root")]),
    ("a service is no public", False, [allow({"Service": "s3.amazonaws.com"})]),
    ("NotPrincipal", True, [but(f"arn:aws:iam::{HERE}:root")]),
    ("NotPrincipal", False, [but(f"arn:aws:iam::{HERE}:root", StringEquals={ORG: "o-exampleorgid"})]),
    ("NotPrincipal", False, [allow(), but(f"arn:aws:iam::{HERE}:root", effect="Deny")]),
    ("NotAction", True, [{**allow(), "Action": None, "NotAction": "kms:Encrypt"}]),
    ("NotAction", False, [allow(), {**deny(), "Action": None, "NotAction": "s3:GetObject"}]),
    ("a fixed organization", False, [allow(StringEquals={ORG: "o-exampleorgid"})]),
    ("a fixed organization", True, [allow(StringLike={ORG: "o-*"})]),
    ("a fixed organization", True, [allow(StringNotEquals={ORG: "o-exampleorgid"})]),
    ("a fixed organization", True, [allow(StringEqualsIfExists={ORG: "o-exampleorgid"})]),
    ("a fixed organization", True, [allow(Null={ORG: "false"})]),
    ("a star is a character to StringEquals", False, [allow(StringEquals={ORG: "*"})]),
    ("paths of organizations", False, [allow(**{"ForAnyValue:StringLike": {PATHS: "o-exampleorgid/*"}})]),
    ("paths of organizations", True, [allow(**{"ForAllValues:StringLike": {PATHS: "o-exampleorgid/*"}})]),
    ("paths of organizations", True, [allow(**{"ForAnyValue:StringLike": {PATHS: "o-*"}})]),
    ("paths of organizations", False, [
        allow(**{"ForAllValues:StringLike": {PATHS: "o-exampleorgid/*"}, "Null": {PATHS: "false"}}),
    ]),
    ("where it comes from", False, [allow(StringEquals={"aws:SourceVpc": "vpc-0123456789abcdef0"})]),
    ("where it comes from", False, [allow(StringEquals={"aws:SourceVpce": "vpce-0123456789abcdef0"})]),
    ("where it comes from", True, [allow(StringLike={"aws:SourceVpce": "vpce-*"})]),
    ("where it comes from", True, [allow(StringNotEquals={"aws:SourceVpce": "vpce-0123456789abcdef0"})]),
    ("for whom a service asks", False, [allow(StringEquals={"aws:SourceAccount": HERE})]),
    ("for whom a service asks", True, [allow(StringLike={"aws:SourceAccount": "*"})]),
    ("for whom a service asks", False, [allow(ArnLike={ARNS: f"arn:aws:s3:*:{HERE}:*"})]),
    ("for whom a service asks", True, [allow(ArnLike={ARNS: "arn:aws:s3:::*"})]),
    ("for whom a service asks", True, [allow(ArnLikeIfExists={ARNS: f"arn:aws:s3:*:{HERE}:*"})]),
    ("for whom a service asks", False, [allow(StringEquals={"aws:SourceOrgID": "o-exampleorgid"})]),
    ("unique ids", False, [allow(StringLike={"aws:userid": "AROAEXAMPLEROLE00000:*"})]),
    ("unique ids", True, [allow(StringLike={"aws:userid": "*:session"})]),
    ("networks", False, [allow(IpAddress={IP: "203.0.113.0/24"})]),
    ("networks", False, [allow(IpAddress={IP: "12.0.0.0/8"})]),
    ("networks", True, [allow(IpAddress={IP: "12.0.0.0/7"})]),
    ("networks", True, [allow(NotIpAddress={IP: "203.0.113.0/24"})]),
    ("two half networks are everywhere", True, [allow(IpAddress={IP: ["0.0.0.0/1", "128.0.0.0/1"]})]),
    ("two half networks are everywhere", False, [allow(), deny(IpAddress={IP: ["0.0.0.0/0", "::/0"]}), deny(Null={IP: "true"})]),
    ("IPv6 beside IPv4", True, [allow(Null={IP: "false"}), deny(IpAddress={IP: "0.0.0.0/0"})]),
    ("IPv6 beside IPv4", True, [allow(IpAddress={IP: "2000::/3"})]),
    ("IPv6 beside IPv4", False, [allow(IpAddress={IP: "2001:db8::/32"})]),
    ("addresses that nobody has", False, [allow(IpAddress={IP: "10.0.0.0/8"})]),
    ("addresses that nobody has", False, [allow(IpAddress={IP: ["192.168.0.0/16", "fd00::/8"]})]),
    ("what anybody can choose", True, [allow(StringEquals={"kms:ViaService": "s3.eu-west-1.amazonaws.com"})]),
    ("what anybody can choose", True, [allow(StringEquals={"kms:EncryptionContext:app": "a"})]),
    ("what anybody can choose", True, [allow(StringEquals={"aws:PrincipalTag/team": "blue"})]),
    ("what anybody can choose", True, [allow(Bool={"aws:MultiFactorAuthPresent": "true"})]),
    ("what anybody can choose", True, [allow(StringLike={"aws:UserAgent": "app*"})]),
    ("what anybody can choose", True, [allow(DateLessThan={"aws:CurrentTime": "2040-01-01T00:00:00Z"})]),
    ("whose account it is", False, [allow(StringEquals={"kms:CallerAccount": HERE})]),
    ("whose account it is", False, [allow(StringEquals={"aws:PrincipalAccount": [HERE, THERE]})]),
    ("whose account it is", True, [allow(StringNotEquals={"kms:CallerAccount": HERE})]),
    ("whose account it is", False, [allow(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{HERE}:role/*"})]),
    ("whose account it is", True, [allow(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*"})]),
    ("what is denied", False, [allow(), deny()]),
    ("what is denied", True, [allow(), deny(THERE)]),
    ("what is denied", True, [allow(), deny(action="kms:Encrypt")]),
    ("what is denied", False, [allow(), deny(StringNotEquals={ORG: "o-exampleorgid"})]),
    ("what is denied", True, [allow(), deny(StringNotEqualsIfExists={"aws:SourceVpc": "vpc-1"}, Null={"aws:SourceVpc": "false"})]),
    ("Bool misses who has no MFA", True, [allow(), deny(Bool={"aws:MultiFactorAuthPresent": "false"})]),
    ("Bool misses who has no MFA", False, [allow(), deny(BoolIfExists={"aws:MultiFactorAuthPresent": ["true", "false"]})]),
    ("contradictions", False, [allow(StringEquals={"kms:CallerAccount": HERE}, StringNotEquals={"aws:PrincipalAccount": HERE})]),
    ("contradictions", False, [allow(StringEquals={"kms:ViaService": "a"}, Null={"kms:ViaService": "true"})]),
    ("statements without effect", False, [{**allow(), "Resource": "arn:aws:kms:eu-west-1:999999999999:key/x"}]),
    ("statements without effect", True, [{**allow(), "Resource": ARN}]),
    ("statements without effect", False, [allow(action="s3:GetObject")]),
    ("case", True, [allow(action="KMS:decrypt")]),
    ("case", False, [allow(StringEquals={"AWS:PRINCIPALORGID": "o-exampleorgid"})]),
]  # fmt: skip


def scores(told):
    """Precision and recall of pairs of what is and what was said."""
    right = sum(is_ and said for is_, said in told)
    return right / sum(said for _, said in told), right / sum(is_ for is_, _ in told)


def test_no_public_policy_is_missed_and_none_is_made_up():
    told = []
    for trap, public, statements in PUBLIC:
        policy = key_policy(*[{k: v for k, v in one.items() if v is not None} for one in statements])
        found = public_access(policy, KEY)
        assert bool(found) is public, (trap, statements, found)
        assert all(admits(policy, one.witness) for one in found), trap
        told.append((public, bool(found)))
    assert scores(told) == (1.0, 1.0)
    assert {public for public, _ in told} == {True, False}


READ, ANY = Access(actions=("kms:Decrypt",)), Access(resources=(ARN,))
GRANTED = [  # trap, is it granted, what is asked, statements of an identity policy
    ("actions on any resource", True, [READ], [{"Action": "kms:*", "Resource": ARN}]),
    ("actions on any resource", False, [READ], [{"Action": "kms:Encrypt", "Resource": "*"}]),
    ("any action on a resource", True, [ANY], [{"Action": "kms:Encrypt", "Resource": "*"}]),
    ("any action on a resource", False, [ANY], [{"Action": "kms:*", "Resource": ARN.replace(HERE, THERE)}]),
    ("any of several", True, [READ, Access(actions=("kms:Sign",))], [{"Action": "kms:Sign", "Resource": "*"}]),
    ("NotAction", True, [READ], [{"NotAction": "kms:Encrypt", "Resource": "*"}]),
    ("NotAction", False, [READ], [{"NotAction": "kms:Dec*", "Resource": "*"}]),
    ("NotResource", False, [ANY], [{"Action": "kms:*", "NotResource": "arn:aws:kms:*:*:key/*"}]),
    ("case of actions", True, [Access(actions=("KMS:DECRYPT",))], [{"Action": "kms:decrypt", "Resource": "*"}]),
    ("conditions can be met", True, [READ], [{"Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]),
    ("conditions that cannot", False, [READ], [{"Action": "*", "Resource": "*", "Condition": {"StringEquals": {"kms:ViaService": "a"}, "Null": {"kms:ViaService": "true"}}}]),
    ("what is denied", False, [READ], [{"Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "kms:De*", "Resource": "*"}]),
    ("what is denied in part", True, [READ], [{"Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "kms:De*", "Resource": ARN}]),
]  # fmt: skip


def test_what_is_granted_is_told_and_nothing_else():
    told = []
    for trap, granted, asked, statements in GRANTED:
        text = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | one for one in statements]}
        policy = compile_policy(parse(json.dumps(text)))
        found = access_granted(policy, asked, Universe(), naming=False)
        assert bool(found) is granted, (trap, found)
        assert all(admits(policy, one.witness, naming=False) for one in found), trap
        told.append((granted, bool(found)))
    assert scores(told) == (1.0, 1.0)


def grant(grantee, *operations):
    return Grant(
        grant_id="g", key_arn=ARN, grantee=grantee, operations=frozenset(operations), issuing_account=HERE
    )


STRANGER = f"arn:aws:iam::{THERE}:role/App"
EXTERNAL = [  # trap, who is told, statements, grants
    ("own people are no outsiders", [], [allow(HERE), allow(f"arn:aws:iam::{HERE}:user/a")], []),
    ("entries apart", [THERE, STRANGER], [allow(HERE), allow({"AWS": [THERE, STRANGER]})], []),
    ("grants count", [STRANGER], [allow(HERE)], [grant(STRANGER, "Decrypt")]),
    ("grants to one's own do not", [], [allow(HERE)], [grant(f"arn:aws:iam::{HERE}:role/App", "Decrypt")]),
    ("what is denied is no access", [], [allow(THERE), deny(THERE)], []),
    ("a Deny for a part leaves the rest", [THERE], [allow(THERE, "kms:*"), deny(THERE, "kms:Decrypt")], []),
    ("a Deny binds grants", [], [allow(HERE), deny()], [grant(STRANGER, "Decrypt")]),
    ("conditions that nobody meets", [], [allow(THERE, StringEquals={"kms:CallerAccount": HERE})], []),
    ("what works across accounts only", [], [allow(THERE, "kms:ScheduleKeyDeletion")], []),
    ("a service is no outsider", [], [allow({"Service": "logs.eu-west-1.amazonaws.com"})], []),
]


@pytest.mark.parametrize("case", EXTERNAL, ids=lambda case: case[0])
def test_who_is_outside_is_told_and_nobody_else(case):
    _, wanted, statements, grants = case
    key = Key(arn=ARN, account=HERE, policy=key_policy(*statements), grants=tuple(grants))
    found = external_access(key, frozenset({HERE}))
    assert [one.principal for one in found] == wanted
    assert all(confirms(key, one.witness) for one in found)


def test_delegation_to_the_account_is_no_new_access_in_the_policy_but_effective_access():
    """AWS's check reads one document, in which the account covers its roles; who can use the key is another question."""
    role = f"arn:aws:iam::{HERE}:role/App"
    old, new = key_policy(allow(HERE, "kms:*")), key_policy(allow(HERE, "kms:*"), allow(role, "kms:*"))
    assert new_access(old, new, KEY) == ()
    session = Standing(
        principal=Principal(
            type="assumedRole", arn=f"arn:aws:sts::{HERE}:assumed-role/App/s", account=HERE, role_arn=role
        ),
        policies=Policies(),
    )
    before, after = (Key(arn=ARN, account=HERE, policy=policy) for policy in (old, new))
    assert list(who_can(before, [session])) == []
    assert "kms:Decrypt" in {name for one in who_can(after, [session]) for name in one.operations}
