"""An account's guard, by boto3 against running servers: what it refuses, tells, and lets through when it is overridden."""

import json
import re
from contextlib import contextmanager

import pytest
from guarded_keys import OTHERS, PARTNER, let_in, policy, refused, told

from keystead.api.guards import GUARDS, Guard, GuardRule
from keystead.testing import RunningServer, allow, deny

KINDS = ("outside", "public", "duties", "lockout")
HEADER = "x-keystead-guard-override"


@pytest.fixture
def server():
    with RunningServer() as running:
        running.credential(OTHERS)
        yield running


@pytest.fixture
def kms(server):
    return server.client("kms")


@pytest.fixture
def arm(server):
    """Sets the account's guard: a mode for some kinds of violations."""

    def setting(mode, *kinds, rules=(), **members):
        modes = dict.fromkeys(kinds or KINDS, mode)
        guard = Guard(rules=(GuardRule(modes=modes), *rules), **members)
        server.store.run(lambda tx: tx.put(GUARDS, server.settings.account_id, guard))

    return setting


@contextmanager
def overriding(client, token):
    def add(request, **_):
        request.headers[HEADER] = token

    client.meta.events.register("before-sign.*.*", add)
    yield
    client.meta.events.unregister("before-sign.*.*", add)


def test_without_a_guard_nothing_is_told(server, kms):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    assert told(server, "PutKeyPolicy") is None


def test_new_access_from_outside_is_refused_with_statement_and_witness(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("refuse", "outside")
    with refused(
        "PutKeyPolicy (outside)", "Statement[1] (In)", f"arn:aws:iam::{OTHERS}:root may kms:Decrypt on arn:"
    ):
        kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    assert kms.get_key_policy(KeyId=key)["Policy"] != policy(PARTNER)
    event = told(server, "PutKeyPolicy")
    assert event["outcome"] == "refused"
    assert [(one["kind"], one["statement"], one["proven"]) for one in event["violations"]] == [
        ("outside", 1, True)
    ]


def test_what_was_open_before_may_stay_and_shrink(kms, arm):
    key = kms.create_key(Policy=policy(let_in(f"arn:aws:iam::{OTHERS}:root", "kms:Decrypt", "kms:Encrypt")))
    key = key["KeyMetadata"]["KeyId"]
    arm("refuse", "outside")
    kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    with refused("outside"):
        kms.put_key_policy(KeyId=key, Policy=policy(let_in(f"arn:aws:iam::{OTHERS}:root", "kms:Encrypt")))


def test_a_deny_that_goes_opens(kms, arm):
    barred = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    key = kms.create_key(Policy=policy(PARTNER, barred))["KeyMetadata"]["KeyId"]
    arm("refuse", "outside")
    with refused("Statement[1] (In)"):
        kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))


def test_trusted_accounts_are_not_outside(kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("refuse", "outside", trusted=(OTHERS,))
    kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))


def test_a_grant_to_an_outsider_is_refused_and_one_to_a_user_is_not(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    user = server.user("ann")
    arm("refuse", "outside")
    with refused("CreateGrant (outside)", "grant "):
        kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{OTHERS}:root", Operations=["Decrypt"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    kms.create_grant(KeyId=key, GranteePrincipal=user.arn, Operations=["Decrypt"])


def test_public_keys_are_not_made(kms, arm):
    arm("refuse", "public")
    with refused("CreateKey (public)", "Statement[1] (In)"):
        kms.create_key(Policy=policy(let_in("*", "kms:Encrypt")))
    fixed = {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}
    kms.create_key(Policy=policy(let_in("*", "kms:Encrypt", Condition=fixed)))


def test_replicas_are_guarded_like_keys(kms, arm):
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    arm("refuse", "public")
    with refused("ReplicateKey (public)"):
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Policy=policy(let_in("*", "kms:Encrypt")))


def test_nobody_gets_both_duties_by_a_key_policy(server, kms, arm):
    admin = server.role("KeyAdmin", {"manage": allow("kms:PutKeyPolicy", "kms:DescribeKey")})
    server.user("chief", {"all": allow("*")})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("refuse", "duties")
    with refused(
        "PutKeyPolicy (duties)",
        "assumed-role/KeyAdmin/",
        "kms:PutKeyPolicy",
        "kms:Decrypt",
        "Statement[1] (In)",
    ):
        kms.put_key_policy(KeyId=key, Policy=policy(let_in(admin.arn, "kms:Decrypt")))
    kms.put_key_policy(KeyId=key, Policy=policy(let_in(admin.arn, "kms:EnableKey")))


def test_nobody_gets_both_duties_by_a_grant(server, kms, arm):
    admin = server.user("admin", {"manage": allow("kms:PutKeyPolicy")})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("refuse", "duties")
    with refused("CreateGrant (duties)", "user/admin"):
        kms.create_grant(KeyId=key, GranteePrincipal=admin.arn, Operations=["Decrypt"])


def test_nobody_gets_both_duties_by_an_identity_policy(server, kms, arm):
    server.user("ann", {"use": allow("kms:Decrypt")})
    server.group("admins", {"manage": allow("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")})
    iam = server.client("iam")
    managed = iam.create_policy(PolicyName="manage", PolicyDocument=json.dumps(allow("kms:CreateGrant")))
    key = kms.create_key()["KeyMetadata"]
    arm("refuse", "duties")
    for change, members in [
        (
            iam.put_user_policy,
            {"PolicyName": "more", "PolicyDocument": json.dumps(allow("kms:PutKeyPolicy"))},
        ),
        (iam.attach_user_policy, {"PolicyArn": managed["Policy"]["Arn"]}),
        (iam.add_user_to_group, {"GroupName": "admins"}),
    ]:
        with refused("(duties)", "user/ann", key["Arn"]):
            change(UserName="ann", **members)
    elsewhere = allow("kms:PutKeyPolicy", resource="arn:aws:kms:eu-west-1:000000000000:key/*")
    iam.put_user_policy(UserName="ann", PolicyName="more", PolicyDocument=json.dumps(elsewhere))
    iam.put_user_policy(UserName="ann", PolicyName="s3", PolicyDocument=json.dumps(allow("s3:*")))


def test_a_new_default_version_reaches_all_who_have_the_policy(server, kms, arm):
    iam = server.client("iam")
    managed = iam.create_policy(PolicyName="use", PolicyDocument=json.dumps(allow("kms:Decrypt")))["Policy"][
        "Arn"
    ]
    server.role("App")
    iam.attach_role_policy(RoleName="App", PolicyArn=managed)
    kms.create_key()
    arm("refuse", "duties")
    both = json.dumps(allow("kms:Decrypt", "kms:DisableKey"))
    iam.create_policy_version(PolicyArn=managed, PolicyDocument=both)
    with refused("SetDefaultPolicyVersion (duties)", "App"):
        iam.set_default_policy_version(PolicyArn=managed, VersionId="v2")


def test_a_lock_out_is_refused_though_the_caller_asks_for_it(server, kms, arm):
    keeper = server.role("Keeper")
    only = let_in(keeper.arn, "kms:*")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("refuse", "lockout")
    closed = json.dumps({"Version": "2012-10-17", "Statement": [let_in(keeper.arn, "kms:Decrypt")]})
    with refused("(lockout)", "nobody would keep kms:PutKeyPolicy", "root may kms:PutKeyPolicy"):
        kms.put_key_policy(KeyId=key, Policy=closed, BypassPolicyLockoutSafetyCheck=True)
    alone = json.dumps({"Version": "2012-10-17", "Statement": [only]})
    kms.put_key_policy(KeyId=key, Policy=alone, BypassPolicyLockoutSafetyCheck=True)
    with refused("DeleteRole (lockout)"):
        server.client("iam").delete_role(RoleName="Keeper")


def test_audit_tells_and_lets_through(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("audit")
    kms.put_key_policy(KeyId=key, Policy=policy(let_in("*", "kms:Decrypt")))
    event = told(server, "PutKeyPolicy")
    assert event["outcome"] == "recorded"
    assert {one["kind"] for one in event["violations"]} == {"outside", "public"}


def test_an_override_takes_the_token_and_a_permission_of_its_own(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    admin = server.user("admin", {"a": allow("kms:PutKeyPolicy", "kms:DescribeKey")}).client()
    chief = server.user("chief", {"a": allow("kms:PutKeyPolicy", "keystead:OverrideGuard")}).client()
    arm("confirm", "outside")
    tokens = []
    for client in (admin, chief):
        with refused("signed header x-keystead-guard-override") as caught:
            client.put_key_policy(KeyId=key, Policy=policy(PARTNER))
        tokens.append(re.search(r"override: ([0-9a-f]{32})", str(caught.value))[1])
    assert told(server, "PutKeyPolicy")["outcome"] == "confirmation needed"
    with overriding(admin, tokens[0]), refused("keystead:OverrideGuard"):
        admin.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    with overriding(chief, tokens[1]):
        with refused("(outside)"):  # a token is for one request
            chief.put_key_policy(
                KeyId=key, Policy=policy(let_in(f"arn:aws:iam::{OTHERS}:root", "kms:Encrypt"))
            )
        chief.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    assert kms.get_key_policy(KeyId=key)["Policy"] == policy(PARTNER)
    assert told(server, "PutKeyPolicy")["outcome"] == "overridden"


def test_what_is_to_be_refused_cannot_be_overridden(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm("confirm", "outside")
    with refused() as caught:
        kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))
    arm("refuse", "outside")
    with overriding(kms, re.search(r"override: ([0-9a-f]{32})", str(caught.value))[1]), refused("(outside)"):
        kms.put_key_policy(KeyId=key, Policy=policy(PARTNER))


def test_the_guard_opens_nothing(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    nobody = server.user("nobody", {"a": deny("kms:*"), "b": allow("keystead:*")}).client()
    arm("audit")
    with overriding(nobody, "0" * 32), refused("kms:PutKeyPolicy", "explicit deny"):
        nobody.put_key_policy(KeyId=key, Policy=policy())
    assert told(server, "PutKeyPolicy") is None


def test_a_tag_chooses_the_rule_and_cannot_be_used_to_escape(server, kms, arm):
    development = GuardRule(tag="env", value="dev", modes=dict.fromkeys(KINDS, "off"))
    arm("refuse", "outside", rules=(development,))
    free = kms.create_key(Tags=[{"TagKey": "env", "TagValue": "dev"}])["KeyMetadata"]["KeyId"]
    kms.put_key_policy(KeyId=free, Policy=policy(PARTNER))
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with refused("TagResource (outside)", "guarded less: refuse becomes off"):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "env", "TagValue": "dev"}])
    kms.untag_resource(KeyId=free, TagKeys=["env"])
    with refused("(outside)"):
        kms.put_key_policy(KeyId=free, Policy=policy(let_in(f"arn:aws:iam::{OTHERS}:root", "kms:Encrypt")))


def test_what_cannot_be_proven_harmless_is_refused(server, kms, arm):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    patterns = [f"*{chr(97 + n % 26)}{n}*" for n in range(24)]
    hostile = [
        let_in(
            f"arn:aws:iam::{OTHERS}:root", "kms:Decrypt", Condition={"StringLike": {"aws:SourceVpce": one}}
        )
        | {"Sid": f"S{number}"}
        for number, one in enumerate(patterns)
    ]
    arm("refuse", "outside")
    with refused("it is not proven that nobody from outside may do more than before", "too complex"):
        kms.put_key_policy(KeyId=key, Policy=policy(*hostile))
    assert told(server, "PutKeyPolicy")["violations"][0]["proven"] is False
