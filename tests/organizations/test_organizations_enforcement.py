"""What the policies of an organization refuse, and whom they do not bind."""

import json

from keystead.testing import allow

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
NO_TAGS = [{"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*"}]
NO_ENCRYPT = [{"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}]
TAGS = [{"TagKey": "a", "TagValue": "b"}]


def key_of(kms, **request):
    return kms.create_key(**request)["KeyMetadata"]["Arn"]


def test_a_policy_of_a_unit_binds_even_the_root_of_an_account_in_it(org, refused):
    unit = org.unit("bound")
    account = org.account("bound", unit)
    kms = org.server.client("kms", account=account)
    key = key_of(kms)
    kms.tag_resource(KeyId=key, Tags=TAGS)
    policy = org.policy("no tags", NO_TAGS)
    org.attach(policy, unit)
    refusal = refused(kms.tag_resource, KeyId=key, Tags=TAGS)  # the next request
    assert refusal.message == (
        f"User: arn:aws:iam::{account}:root is not authorized to perform: kms:TagResource on resource: {key} "
        "with an explicit deny in a service control policy"
    )
    org.detach(policy, unit)
    kms.tag_resource(KeyId=key, Tags=TAGS)


def test_no_policy_binds_the_management_account(org):
    kms = org.server.client("kms")
    key = key_of(kms)
    for kind, statement in ((SCP, NO_TAGS), (RCP, NO_ENCRYPT)):
        policy = org.policy(f"for everybody {kind}", statement, kind)
        org.attach(policy, org.root)
        kms.tag_resource(KeyId=key, Tags=TAGS)
        kms.encrypt(KeyId=key, Plaintext=b"x")
        org.detach(policy, org.root)


def test_every_level_must_allow(org, refused):
    outer = org.unit("outer list")
    inner = org.unit("inner list", outer)
    account = org.account("listed", inner)
    kms = org.server.client("kms", account=account)
    allow_list = org.policy("list only", [{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}])
    org.attach(allow_list, outer)
    kms.list_aliases()  # AWS's policy allows still
    org.detach("p-FullAWSAccess", outer)
    kms.list_keys()
    refusal = refused(kms.list_aliases)
    assert refusal.message.endswith("because no service control policy allows the kms:ListAliases action")
    org.client.move_account(AccountId=account, SourceParentId=inner, DestinationParentId=org.root)
    kms.list_aliases()


def test_a_policy_grants_nothing(org, refused):
    unit = org.unit("grants nothing")
    account = org.account("grants nothing", unit)
    nobody = org.server.user("nobody", account=account).client()
    assert "no identity-based policy allows" in refused(nobody.list_keys).message
    reader = org.server.user("reader", {"read": allow("kms:ListKeys")}, account=account).client()
    reader.list_keys()


def test_a_resource_control_policy_binds_whoever_uses_keys_of_the_account(org, refused):
    unit = org.unit("guarded")
    account = org.account("guarded", unit)
    owner = org.server.client("kms", account=account)
    stranger = org.server.user("stranger", {"use": allow("kms:*")})  # of the management account
    statement = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {"Effect": "Allow", "Principal": {"AWS": stranger.arn}, "Action": "kms:Encrypt", "Resource": "*"},
    ]
    key = key_of(owner, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    for kms in (owner, stranger.client()):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    policy = org.policy("no encrypting", NO_ENCRYPT, RCP)
    org.attach(policy, account)
    for kms in (owner, stranger.client()):
        refusal = refused(kms.encrypt, KeyId=key, Plaintext=b"x")
        assert refusal.message.endswith("with an explicit deny in a resource control policy")
    own = key_of(stranger.client())
    stranger.client().encrypt(KeyId=own, Plaintext=b"x")  # its own account's key is not guarded
    org.detach(policy, account)
    owner.encrypt(KeyId=key, Plaintext=b"x")


def test_an_account_that_leaves_is_bound_no_more(org, refused):
    account = org.account("leaver")
    kms = org.server.client("kms", account=account)
    policy = org.policy("for the leaver", NO_TAGS)
    org.attach(policy, account)
    key = key_of(kms)
    refused(kms.tag_resource, KeyId=key, Tags=TAGS)
    org.client.remove_account_from_organization(AccountId=account)
    kms.tag_resource(KeyId=key, Tags=TAGS)


def test_a_changed_policy_and_a_disabled_type_count_at_once(fresh_org, refused):
    org = fresh_org
    account = org.account("member")
    kms = org.server.client("kms", account=account)
    policy = org.policy("changing", NO_TAGS)
    org.attach(policy, account)
    key = key_of(kms)
    refused(kms.tag_resource, KeyId=key, Tags=TAGS)
    other = [{"Effect": "Deny", "Action": "kms:ListKeys", "Resource": "*"}]
    content = json.dumps({"Version": "2012-10-17", "Statement": other})
    org.client.update_policy(PolicyId=policy, Content=content)
    kms.tag_resource(KeyId=key, Tags=TAGS)
    refused(kms.list_keys)
    org.client.disable_policy_type(RootId=org.root, PolicyType=SCP)
    kms.list_keys()


def conditioned(owner, account, **condition):
    """A key of `account` that everybody may use for whom the condition holds."""
    return key_of(
        owner,
        Policy=json.dumps({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"},
                {"Effect": "Allow", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition},
            ],
        }),
    )  # fmt: skip


def test_conditions_speak_of_the_callers_organization_and_path(org, refused):
    unit = org.unit("trusted")
    inside, outside = org.account("inside", unit), "565656565656"
    owner = org.server.client("kms")
    use = {"use": allow("kms:Encrypt")}
    member = org.server.user("member", use, account=inside).client()
    stranger = org.server.user("stranger", use, account=outside).client()
    by_id = conditioned(owner, "111122223333", StringEquals={"aws:PrincipalOrgID": org.id})
    paths = {"aws:PrincipalOrgPaths": [f"{org.id}/{org.root}/{unit}/*"]}
    by_path = conditioned(owner, "111122223333", **{"ForAnyValue:StringLike": paths})
    for key in (by_id, by_path):
        member.encrypt(KeyId=key, Plaintext=b"x")
        refused(stranger.encrypt, KeyId=key, Plaintext=b"x")
    org.client.move_account(AccountId=inside, SourceParentId=unit, DestinationParentId=org.root)
    member.encrypt(KeyId=by_id, Plaintext=b"x")
    refused(member.encrypt, KeyId=by_path, Plaintext=b"x")


def test_conditions_speak_of_the_resources_organization(org, refused):
    only_here = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "kms:Encrypt",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceOrgID": org.id}},
            }
        ],
    }
    caller = org.server.user("stays here", {"use": only_here}).client()
    everybody = {"Bool": {"aws:SecureTransport": "false"}}
    inside, outside = org.account("resource owner"), "676767676767"
    for account, works in ((inside, True), (outside, False)):
        key = conditioned(org.server.client("kms", account=account), account, **everybody)
        if works:
            caller.encrypt(KeyId=key, Plaintext=b"x")
        else:
            refused(caller.encrypt, KeyId=key, Plaintext=b"x")


def test_a_policy_can_keep_accounts_from_leaving(org, refused):
    account = org.account("stays")
    org.attach(
        org.policy(
            "stay", [{"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}]
        ),
        account,
    )
    refusal = refused(org.server.client("organizations", account=account).leave_organization)
    assert refusal.message.endswith("with an explicit deny in a service control policy")
