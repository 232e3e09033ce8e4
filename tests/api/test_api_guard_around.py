"""What lies around keys, by boto3: an account's guard on roles' trust, on tags, and on what an organization binds it by."""

import json

import pytest
from guarded_keys import OTHERS, PARTNER, let_in, policy, refused, told

from keystead.api.guards import GUARDS, Guard, GuardRule
from keystead.testing import RunningServer, allow

ACCOUNT = "000000000000"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


@pytest.fixture
def server():
    with RunningServer() as running:
        running.credential(OTHERS)
        yield running


@pytest.fixture
def kms(server):
    return server.client("kms")


@pytest.fixture
def iam(server):
    return server.client("iam")


def arm(server, *kinds, account=ACCOUNT, **members):
    guard = Guard(rules=(GuardRule(modes=dict.fromkeys(kinds, "refuse")),), **members)
    server.store.run(lambda tx: tx.put(GUARDS, account, guard))


def trusting(principal, action="sts:AssumeRole", effect="Allow", **condition):
    made = {"Effect": effect, "Principal": principal, "Action": action}
    made |= {"Condition": condition} if condition else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [made]})


INSIDE = trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
OPEN = trusting({"AWS": f"arn:aws:iam::{OTHERS}:root"})
BY_TAG = {"StringEquals": {"aws:ResourceTag/shared": "yes"}}


def role(iam, name, *policies):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=INSIDE)
    for number, one in enumerate(policies):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(one))


# ------------------------------------------------------------------------------- roles


def test_a_role_that_uses_keys_is_not_opened_to_outsiders(server, kms, iam):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    role(iam, "App", allow("kms:Decrypt"))
    role(iam, "Other", allow("s3:ListBucket"))
    arm(server, "outside")
    for trust in (OPEN, trusting("*"), trusting({"AWS": "*"}, StringEquals={"sts:ExternalId": "x"})):
        with refused(
            "UpdateAssumeRolePolicy (outside)",
            f"the trust policy of arn:aws:iam::{ACCOUNT}:role/App, Statement[0]",
            "may sts:AssumeRole on",
            f"may kms:Decrypt on {key}",
        ):
            iam.update_assume_role_policy(RoleName="App", PolicyDocument=trust)
    violation = told(server, "UpdateAssumeRolePolicy")["violations"][0]
    assert (violation["kind"], violation["policy"], violation["proven"]) == (
        "outside", f"trust policy of arn:aws:iam::{ACCOUNT}:role/App", True,
    )  # fmt: skip
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=INSIDE)
    iam.update_assume_role_policy(RoleName="Other", PolicyDocument=OPEN)
    arm(server, "outside", trusted=(OTHERS,))
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=OPEN)


def test_an_open_role_gets_no_use_of_keys(server, kms, iam):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    iam.create_role(RoleName="App", AssumeRolePolicyDocument=OPEN)
    arm(server, "outside")
    with refused("PutRolePolicy (outside)", "role/App", "may kms:Decrypt"):
        iam.put_role_policy(RoleName="App", PolicyName="use", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    iam.put_role_policy(RoleName="App", PolicyName="list", PolicyDocument=json.dumps(allow("s3:ListBucket")))
    with refused("PutKeyPolicy (outside)", "role/App", "may kms:Encrypt"):
        kms.put_key_policy(
            KeyId=key, Policy=policy(let_in(f"arn:aws:iam::{ACCOUNT}:role/App", "kms:Encrypt"))
        )
    with refused("CreateGrant (outside)", "role/App"):
        kms.create_grant(
            KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/App", Operations=["Decrypt"]
        )


def test_a_role_may_stay_as_open_as_it_is(server, kms, iam):
    iam.create_role(RoleName="App", AssumeRolePolicyDocument=OPEN)
    iam.put_role_policy(RoleName="App", PolicyName="use", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    arm(server, "outside")
    narrower = trusting({"AWS": f"arn:aws:iam::{OTHERS}:root"}, StringEquals={"sts:ExternalId": "x"})
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=narrower)
    kms.put_key_policy(KeyId=key, Policy=policy(let_in(f"arn:aws:iam::{ACCOUNT}:role/App", "kms:Decrypt")))
    with refused("UpdateAssumeRolePolicy (outside)"):
        iam.update_assume_role_policy(RoleName="App", PolicyDocument=OPEN)


def test_a_role_is_not_made_open_where_a_key_lets_it_in(server, kms, iam):
    known = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/app-*"}}
    kms.create_key(Policy=policy(let_in("*", "kms:Decrypt", Condition=known)))
    arm(server, "outside")
    with refused("CreateRole (outside)", "role/app-1"):
        iam.create_role(RoleName="app-1", AssumeRolePolicyDocument=OPEN)
    iam.create_role(RoleName="app-1", AssumeRolePolicyDocument=INSIDE)


def test_who_signs_in_elsewhere_is_outside_unless_the_provider_is_trusted(server, kms, iam):
    kms.create_key()
    role(iam, "App", allow("kms:Decrypt"))
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/login.example.com"
    signing_in = trusting({"Federated": provider}, "sts:AssumeRoleWithWebIdentity")
    arm(server, "outside")
    with refused("UpdateAssumeRolePolicy (outside)", f"an identity of the provider {provider} may"):
        iam.update_assume_role_policy(RoleName="App", PolicyDocument=signing_in)
    nobody = trusting({"AWS": f"arn:aws:iam::{OTHERS}:root"}, "sts:AssumeRoleWithWebIdentity")
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=nobody)
    arm(server, "outside", trusted=(provider,))
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=signing_in)


def test_of_roles_one_after_the_other_the_first_is_looked_at(server, kms, iam):
    """A limit that the guide tells; `keystead analyze blast-radius` follows the whole way."""
    kms.create_key()
    role(iam, "First", allow("sts:AssumeRole"))
    role(iam, "Second", allow("kms:Decrypt"))
    arm(server, "outside")
    iam.update_assume_role_policy(RoleName="First", PolicyDocument=OPEN)
    with refused("UpdateAssumeRolePolicy (outside)"):
        iam.update_assume_role_policy(RoleName="Second", PolicyDocument=OPEN)


def test_who_may_tag_its_sessions_counts_as_having_any_tag(server, kms, iam):
    """So it has both duties before it is tagged, and is not given them by being tagged."""
    own = {"StringEquals": {"aws:PrincipalTag/admin": "yes", "kms:CallerAccount": ACCOUNT}}
    kms.create_key(Policy=policy(let_in("*", "kms:PutKeyPolicy", Condition=own)))
    tagging = trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "sts:*")
    arm(server, "duties")
    iam.create_role(RoleName="App", AssumeRolePolicyDocument=tagging)
    with refused("PutRolePolicy (duties)", "App"):
        iam.put_role_policy(RoleName="App", PolicyName="use", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    iam.update_assume_role_policy(RoleName="App", PolicyDocument=INSIDE)
    iam.put_role_policy(RoleName="App", PolicyName="use", PolicyDocument=json.dumps(allow("kms:Decrypt")))


# -------------------------------------------------------------------------------- tags


def test_a_tag_of_a_key_lets_nobody_in_from_outside(server, kms):
    key = kms.create_key(Policy=policy({**PARTNER, "Condition": BY_TAG}))["KeyMetadata"]["KeyId"]
    arm(server, "outside")
    with refused("TagResource (outside)", "Statement[1] (In)", 'aws:ResourceTag/shared = "yes"'):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "shared", "TagValue": "yes"}])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "shared", "TagValue": "no"}])
    with refused("CreateKey (outside)"):
        kms.create_key(
            Policy=policy({**PARTNER, "Condition": BY_TAG}),
            Tags=[{"TagKey": "shared", "TagValue": "yes"}],
        )


def test_a_tag_that_barred_may_not_go(server, kms):
    barred = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    barred |= {"Condition": {"StringEquals": {"aws:ResourceTag/secret": "yes"}}}
    made = kms.create_key(Policy=policy(PARTNER, barred), Tags=[{"TagKey": "secret", "TagValue": "yes"}])
    arm(server, "outside")
    with refused("UntagResource (outside)", "Statement[1] (In)"):
        kms.untag_resource(KeyId=made["KeyMetadata"]["KeyId"], TagKeys=["secret"])


def test_a_tag_of_a_key_gives_nobody_both_duties(server, kms):
    server.user("ann", {"use": allow("kms:Decrypt"), "own": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}},
            }
        ],
    }})  # fmt: skip
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    arm(server, "duties")
    with refused("TagResource (duties)", "user/ann"):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "owner", "TagValue": "ann"}])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "owner", "TagValue": "bob"}])


def test_a_tag_of_somebody_gives_nobody_both_duties(server, kms, iam):
    own = {"StringEquals": {"aws:PrincipalTag/admin": "yes", "kms:CallerAccount": ACCOUNT}}
    kms.create_key(Policy=policy(let_in("*", "kms:PutKeyPolicy", Condition=own)))
    server.user("ann", {"use": allow("kms:Decrypt")})
    role(iam, "App", allow("kms:Decrypt"))
    tags = [{"Key": "admin", "Value": "yes"}]
    arm(server, "duties")
    with refused("TagUser (duties)", "user/ann"):
        iam.tag_user(UserName="ann", Tags=tags)
    with refused("TagRole (duties)", "assumed-role/App"):
        iam.tag_role(RoleName="App", Tags=tags)
    iam.tag_user(UserName="ann", Tags=[{"Key": "admin", "Value": "no"}])


def test_a_tag_that_barred_somebody_may_not_go(server, kms, iam):
    barred = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    barred |= {"Condition": {"Null": {"aws:PrincipalTag/barred": "false"}}}
    kms.create_key(Policy=policy(barred))
    server.user("ann", {"all": allow("kms:*")})
    iam.tag_user(UserName="ann", Tags=[{"Key": "barred", "Value": "x"}])
    arm(server, "duties")
    with refused("UntagUser (duties)", "user/ann"):
        iam.untag_user(UserName="ann", TagKeys=["barred"])


# ----------------------------------------------------------------------- organizations


class Bound:
    """An organization with a member that has a guard and a key that a partner outside may use."""

    def __init__(self, server):
        self.server = server
        self.organizations = server.client("organizations")
        self.organizations.create_organization(FeatureSet="ALL")
        self.root = self.organizations.list_roots()["Roots"][0]["Id"]
        for kind in (SCP, RCP):
            self.organizations.enable_policy_type(RootId=self.root, PolicyType=kind)
        made = self.organizations.create_account(Email="m@example.com", AccountName="m")
        self.member = made["CreateAccountStatus"]["AccountId"]
        server.credential(self.member)

    def attach(self, kind, statement):
        content = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.organizations.create_policy(Name="p", Description="", Type=kind, Content=content)
        found = made["Policy"]["PolicySummary"]["Id"]
        self.organizations.attach_policy(PolicyId=found, TargetId=self.member)
        return found

    def key(self, *statements):
        kms = self.server.client("kms", account=self.member)
        return kms.create_key(Policy=policy(*statements, account=self.member))["KeyMetadata"]["Arn"]


@pytest.fixture
def bound(server):
    return Bound(server)


DENIED = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}


def test_an_rcp_that_held_outsiders_back_may_not_go(server, bound):
    key = bound.key(PARTNER)
    rcp = bound.attach(RCP, {**DENIED, "Principal": "*"})
    arm(server, "outside", account=bound.member)
    kms = bound.server.client("kms", account=bound.member)
    more = policy(PARTNER, let_in("*", "kms:Decrypt"), account=bound.member)
    kms.put_key_policy(KeyId=key, Policy=more)  # what an RCP takes away is not opened
    said = f"The guard of account {bound.member} refuses"
    with refused(f"{said} DetachPolicy (outside)", f"may kms:Decrypt on {key}"):
        bound.organizations.detach_policy(PolicyId=rcp, TargetId=bound.member)
    with refused(f"{said} DisablePolicyType (outside)"):
        bound.organizations.disable_policy_type(RootId=bound.root, PolicyType=RCP)
    with refused(f"{said} RemoveAccountFromOrganization (outside)"):
        bound.organizations.remove_account_from_organization(AccountId=bound.member)
    with refused(f"{said} UpdatePolicy (outside)"):
        bound.organizations.update_policy(
            PolicyId=rcp,
            Content=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{**DENIED, "Principal": "*", "Action": "kms:Encrypt"}],
                }
            ),
        )
    wider = {**DENIED, "Principal": "*", "Action": "kms:*"}
    bound.organizations.update_policy(
        PolicyId=rcp, Content=json.dumps({"Version": "2012-10-17", "Statement": [wider]})
    )


def test_an_rcp_that_kept_a_key_from_the_public_may_not_go(server, bound):
    key = bound.key(let_in("*", "kms:Decrypt"))
    rcp = bound.attach(RCP, {**DENIED, "Principal": "*"})
    arm(server, "public", account=bound.member)
    with refused("DetachPolicy (public)", key):
        bound.organizations.detach_policy(PolicyId=rcp, TargetId=bound.member)


def test_an_scp_that_held_a_duty_back_may_not_go(server, bound):
    iam = bound.server.client("iam", account=bound.member)
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=json.dumps(allow("kms:*")))
    bound.key()
    held = {"StringNotLike": {"aws:PrincipalArn": "*:root"}}
    scp = bound.attach(SCP, {**DENIED, "Action": "kms:*crypt*", "Condition": held})
    generating = {
        **DENIED,
        "Action": ["kms:Gen*", "kms:Sign", "kms:Ver*", "kms:Derive*", "kms:Re*", "kms:*cap*"],
    }
    bound.organizations.update_policy(
        PolicyId=scp,
        Content=json.dumps({"Version": "2012-10-17", "Statement": [
            {**DENIED, "Action": "kms:*crypt*", "Condition": held}, {**generating, "Condition": held},
        ]}),
    )  # fmt: skip
    arm(server, "duties", account=bound.member)
    with refused("DetachPolicy (duties)", "user/ann"):
        bound.organizations.detach_policy(PolicyId=scp, TargetId=bound.member)


def test_an_scp_locks_nobody_out(server, bound):
    bound.key()
    arm(server, "lockout", account=bound.member)
    with refused("AttachPolicy (lockout)", "nobody would keep kms:PutKeyPolicy"):
        bound.attach(SCP, {**DENIED, "Action": "kms:PutKeyPolicy"})
