"""The simulator: it says what the server does, and which statements decided."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.services.iam.matched import places
from keystead.testing import allow, deny

ACCOUNT = "000000000000"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)


def custom(iam, *policies, actions=("kms:Encrypt",), **members):
    """The results of SimulateCustomPolicy."""
    texts = [policy if isinstance(policy, str) else json.dumps(policy) for policy in policies]
    answer = iam.simulate_custom_policy(PolicyInputList=texts, ActionNames=list(actions), **members)
    return answer["EvaluationResults"]


def decision(iam, *policies, **members):
    (result,) = custom(iam, *policies, **members)
    return result["EvalDecision"]


def principal(iam, *actions, who=ALICE, **members):
    """The only result, or all of them, of SimulatePrincipalPolicy."""
    answer = iam.simulate_principal_policy(PolicySourceArn=who, ActionNames=list(actions), **members)
    results = answer["EvaluationResults"]
    return results[0] if len(actions) == 1 else results


def entry(name, *values, kind="string"):
    return {"ContextKeyName": name, "ContextKeyValues": list(values), "ContextKeyType": kind}


# ------------------------------------------------------------------------------ custom policies


def test_given_policies_decide(iam):
    assert decision(iam, allow("kms:Encrypt")) == "allowed"
    assert decision(iam, allow("kms:Decrypt")) == "implicitDeny"
    assert decision(iam, allow("kms:*"), deny("kms:Encrypt")) == "explicitDeny"
    results = custom(iam, allow("kms:Encrypt"), actions=["kms:Encrypt", "kms:Decrypt"])
    assert [(result["EvalActionName"], result["EvalDecision"]) for result in results] == [
        ("kms:Encrypt", "allowed"),
        ("kms:Decrypt", "implicitDeny"),
    ]


def test_the_statements_that_decided_are_placed_in_their_documents(iam):
    text = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Effect": "Allow",
     "Action": "kms:*", "Resource": "*"}
  ]
}"""
    (result,) = custom(iam, allow("s3:GetObject"), text)
    assert result["MatchedStatements"] == [
        {
            "SourcePolicyId": "PolicyInputList.2",
            "SourcePolicyType": "none",
            "StartPosition": {"Line": 5, "Column": 5},
            "EndPosition": {"Line": 6, "Column": 40},
        }
    ]
    assert text.splitlines()[5][39] == "}"
    (denied,) = custom(iam, text, deny("kms:Encrypt"))
    assert [one["SourcePolicyId"] for one in denied["MatchedStatements"]] == ["PolicyInputList.2"]
    assert custom(iam, allow("s3:*"))[0]["MatchedStatements"] == []


SPACES = st.text(alphabet=" \t\r\n", max_size=4)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Sid", "Effect", "Action", "{", '"', "[,]"]), st.text(max_size=6)),
        min_size=1,
        max_size=4,
    ),
    st.dictionaries(
        st.text(max_size=5), st.recursive(st.text(max_size=4), st.lists, max_leaves=4), max_size=3
    ),
    st.booleans(),
    SPACES,
)
@settings(max_examples=60)
def test_places_are_those_of_the_statements(statements, others, first, space):
    members = {**others, "Statement": statements} if first else {"Statement": statements, **others}
    text = (
        space + json.dumps(members, indent=len(space), separators=("," + space, space + ":" + space)) + space
    )
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    found = [
        json.loads(text[starts[start[0] - 1] + start[1] - 1 : starts[end[0] - 1] + end[1]])
        for start, end in places(text)
    ]
    assert found == members["Statement"]


def test_an_answer_makes_a_bounded_number_of_decisions(iam):
    resources = [f"arn:aws:s3:::{number}" for number in range(900)]
    given = {"PolicyInputList": [json.dumps(allow("*"))], "ResourceArns": resources}
    actions = [f"s3:Get{letter}" for letter in "ABCDEFG"]
    answer = iam.simulate_custom_policy(**given, ActionNames=actions)
    assert [one["EvalActionName"] for one in answer["EvaluationResults"]] == actions[:5]
    rest = iam.simulate_custom_policy(**given, ActionNames=actions, Marker=answer["Marker"])
    assert [one["EvalActionName"] for one in rest["EvaluationResults"]] == actions[5:]


def test_a_lone_statement_needs_no_list(iam):
    text = '{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}'
    (result,) = custom(iam, text)
    (statement,) = result["MatchedStatements"]
    assert statement["StartPosition"] == {"Line": 1, "Column": text.index('{"Effect') + 1}
    assert statement["EndPosition"] == {"Line": 1, "Column": len(text) - 1}


def test_context_entries_are_what_conditions_see_and_missing_ones_are_told(iam):
    from_office = allow("kms:Encrypt", IpAddress={"aws:SourceIp": "192.0.2.0/24"})
    (result,) = custom(iam, from_office)
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("implicitDeny", ["aws:SourceIp"])
    inside = [entry("AWS:sourceip", "192.0.2.7", kind="ip")]
    (result,) = custom(iam, from_office, ContextEntries=inside)
    assert (result["EvalDecision"], result["MissingContextValues"]) == ("allowed", [])
    outside = [entry("aws:SourceIp", "198.51.100.1", kind="ip")]
    assert decision(iam, from_office, ContextEntries=outside) == "implicitDeny"
    several = allow("kms:Encrypt", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})
    assert decision(iam, several, ContextEntries=[entry("aws:TagKeys", "a", kind="stringList")]) == "allowed"
    assert (
        decision(iam, several, ContextEntries=[entry("aws:TagKeys", "a", "c", kind="stringList")])
        == "implicitDeny"
    )


def test_each_resource_has_its_own_result_and_the_strictest_is_the_actions(iam):
    mine, other = (f"arn:aws:s3:::{name}/object" for name in ("mine", "other"))
    (result,) = custom(
        iam, allow("s3:GetObject", resource=mine), actions=["s3:GetObject"], ResourceArns=[mine, other]
    )
    assert result["EvalDecision"] == "implicitDeny"
    assert [
        (each["EvalResourceName"], each["EvalResourceDecision"]) for each in result["ResourceSpecificResults"]
    ] == [(mine, "allowed"), (other, "implicitDeny")]


def test_a_result_names_its_only_resource_and_a_template_for_several(iam):
    """As AWS answers; Terraform's `aws_iam_principal_policy_simulation` shows this name and no other."""
    key, other = (
        f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{name * 8}-0000-0000-0000-000000000000" for name in "ab"
    )
    named = {
        len(resources): result["EvalResourceName"]
        for resources in ([], [key], [key, other])
        for result in custom(iam, allow("kms:*"), **({"ResourceArns": resources} if resources else {}))
    }
    assert named == {0: "*", 1: key, 2: "arn:aws:kms:${Region}:${Account}:key/${KeyId}"}
    (everything,) = custom(iam, allow("kms:*"), ResourceArns=["*"])
    assert everything["EvalResourceName"] == "*"


def test_a_boundary_limits(iam):
    members = {"PermissionsBoundaryPolicyInputList": [json.dumps(allow("kms:Decrypt"))]}
    results = custom(iam, allow("kms:*"), actions=["kms:Encrypt", "kms:Decrypt"], **members)
    assert [
        (one["EvalDecision"], one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
        for one in results
    ] == [("implicitDeny", False), ("allowed", True)]


def test_levels_of_service_control_policies_must_each_allow(iam):
    everything, keys = json.dumps(allow("*")), json.dumps(allow("kms:*"))
    levels = [{"ServiceControlPolicyInputList": [everything]}, {"ServiceControlPolicyInputList": [keys]}]
    results = custom(
        iam,
        allow("*"),
        actions=["kms:Encrypt", "s3:GetObject"],
        OrderedOrganizationPolicyInputList=levels,
    )
    assert [
        (one["EvalDecision"], one["OrganizationsDecisionDetail"]["AllowedByOrganizations"]) for one in results
    ] == [("allowed", True), ("implicitDeny", False)]


def test_a_resource_policy_takes_a_caller(iam, refused):
    resource = "arn:aws:s3:::bucket/object"
    names_alice = {**allow("s3:GetObject"), "Version": "2012-10-17"}
    names_alice["Statement"][0]["Principal"] = {"AWS": ALICE}
    members = {
        "actions": ["s3:GetObject"],
        "ResourceArns": [resource],
        "ResourcePolicy": json.dumps(names_alice),
    }
    with refused("InvalidInput"):
        custom(iam, allow("kms:*"), **members)
    (result,) = custom(iam, allow("kms:*"), **members, CallerArn=ALICE)
    assert result["EvalDecision"] == "allowed"
    assert [one["SourcePolicyId"] for one in result["MatchedStatements"]] == ["ResourcePolicy"]
    assert result["EvalDecisionDetails"] == {}
    owner = {"ResourceOwner": "arn:aws:iam::111122223333:root"}
    (result,) = custom(iam, allow("kms:*"), **members, CallerArn=ALICE, **owner)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    assert decision(iam, allow("s3:*"), **members, CallerArn=ALICE, **owner) == "allowed"


@pytest.mark.parametrize(
    "members",
    [
        {"PolicyInputList": ["no policy"]},
        {"ActionNames": ["Encrypt"]},
        {"ActionNames": ["kms:*"]},
        {"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"},
        {"PermissionsBoundaryPolicyInputList": [json.dumps(allow("*"))] * 2},
        {"ResourceHandlingOption": "EC2-VPC-EBS"},
    ],
)
def test_what_cannot_be_simulated_is_refused(iam, refused, members):
    given = {"PolicyInputList": [json.dumps(allow("*"))], "ActionNames": ["kms:Encrypt"], **members}
    with refused("InvalidInput", status=400):
        iam.simulate_custom_policy(**given)


def test_results_come_in_pages(iam):
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:Sign"]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[json.dumps(allow("kms:*"))],
        ActionNames=actions,
        PaginationConfig={"PageSize": 2},
    )
    assert [one["EvalActionName"] for page in pages for one in page["EvaluationResults"]] == actions


# ------------------------------------------------------------------------- policies of identities


def test_every_policy_of_a_user_counts_and_is_named(server, iam):
    server.user("alice", {"own": allow("kms:Encrypt")})
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    iam.add_user_to_group(GroupName="g", UserName="alice")
    arn = iam.create_policy(PolicyName="m", PolicyDocument=json.dumps(allow("kms:Sign")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:Sign", "kms:Verify"]
    results = principal(iam, *actions)
    assert [
        [(one["SourcePolicyId"], one["SourcePolicyType"]) for one in result["MatchedStatements"]]
        for result in results
    ] == [[("user_alice_own", "user")], [("group_g_p", "group")], [("m", "user-managed")], []]
    assert principal(iam, "kms:Verify")["EvalDecision"] == "implicitDeny"
    more = [json.dumps(allow("kms:Verify"))]
    assert principal(iam, "kms:Verify", PolicyInputList=more)["EvalDecision"] == "allowed"


def test_a_group_and_a_role_are_simulated(iam):
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    for kind, name in [("group", "g"), ("role", "r")]:
        who = f"arn:aws:iam::{ACCOUNT}:{kind}/{name}"
        assert principal(iam, "kms:Decrypt", who=who)["EvalDecision"] == "allowed"
        assert principal(iam, "kms:Encrypt", who=who)["EvalDecision"] == "implicitDeny"


def test_who_is_not_there_is_not_found(iam, refused):
    with refused("NoSuchEntity", "The user with name alice cannot be found.", 404):
        principal(iam, "kms:Encrypt")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
    message = f"Invalid Entity Arn: {session} does not clearly define entity type and name."
    with refused("InvalidInput", message):
        principal(iam, "kms:Encrypt", who=session)


def test_what_is_known_of_the_caller_is_context(server, iam):
    condition = {"aws:PrincipalTag/Team": "blue", "aws:username": "alice"}
    server.user("alice", {"p": allow("kms:Encrypt", StringEquals=condition)}, tags={"Team": "blue"})
    assert principal(iam, "kms:Encrypt")["EvalDecision"] == "allowed"
    iam.create_user(UserName="bob")
    bob = f"arn:aws:iam::{ACCOUNT}:user/bob"
    assert principal(iam, "kms:Encrypt", CallerArn=bob)["EvalDecision"] == "implicitDeny"


def test_a_real_boundary_limits_unless_another_is_tried(server, iam):
    server.user("alice", {"p": allow("kms:*")})
    arn = iam.create_policy(PolicyName="b", PolicyDocument=json.dumps(allow("kms:Decrypt")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn)
    result = principal(iam, "kms:Encrypt")
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    tried = {"PermissionsBoundaryPolicyInputList": [json.dumps(allow("*"))]}
    assert principal(iam, "kms:Encrypt", **tried)["EvalDecision"] == "allowed"
    without = {"PolicyExclusionList": [{"PolicyType": "permission-boundary"}]}
    assert principal(iam, "kms:Encrypt", **without)["EvalDecision"] == "allowed"


def test_policies_are_excluded(server, iam, refused):
    server.user("alice", {"own": allow("kms:Encrypt")})
    arn = iam.create_policy(PolicyName="m", PolicyDocument=json.dumps(allow("kms:Sign")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)

    def left(*excluded):
        results = principal(iam, "kms:Encrypt", "kms:Sign", PolicyExclusionList=list(excluded))
        return [result["EvalDecision"] == "allowed" for result in results]

    inline = {"PolicyName": "own", "AttachmentType": "user", "AttachmentName": "alice"}
    assert left({"PolicyType": "rcp"}) == [True, True]
    assert left({"PolicyType": "inline"}) == [False, True]
    assert left({"InlinePolicyIdentifier": inline}) == [False, True]
    assert left({"InlinePolicyIdentifier": {**inline, "AttachmentType": "role"}}) == [True, True]
    assert left({"PolicyType": "user-managed"}) == [True, False]
    assert left({"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/?"}) == [True, False]
    assert left({"PolicyType": "inline"}, {"PolicyArn": arn}) == [False, False]
    for bad in ({"PolicyArn": "arn:aws:iam::*:policy/m"}, {"PolicyType": "inline", "PolicyArn": arn}):
        with refused("InvalidInput"):
            left(bad)


# ---------------------------------------------------------------------------------------- keys


def test_a_key_brings_its_policy_and_grants(server, iam):
    alice = server.user("alice")
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    only = {"ResourceArns": [key]}
    assert principal(iam, "kms:Encrypt", **only)["EvalDecision"] == "implicitDeny"
    names_her = allow("kms:Encrypt")
    names_her["Statement"][0]["Principal"] = {"AWS": alice.arn}
    administers = allow("kms:*")
    administers["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    both = {**names_her, "Statement": names_her["Statement"] + administers["Statement"]}
    kms.put_key_policy(KeyId=key, Policy=json.dumps(both))
    result = principal(iam, "kms:Encrypt", **only)
    assert result["EvalDecision"] == "allowed"
    assert [(one["SourcePolicyId"], one["SourcePolicyType"]) for one in result["MatchedStatements"]] == [
        (key, "resource")
    ]
    assert principal(iam, "kms:Decrypt", **only)["EvalDecision"] == "implicitDeny"
    kms.create_grant(KeyId=key, GranteePrincipal=alice.arn, Operations=["Decrypt"])
    assert principal(iam, "kms:Decrypt", **only)["EvalDecision"] == "allowed"


def test_identity_policies_count_only_where_the_key_delegates(server, iam):
    server.user("alice", {"p": allow("kms:*")})
    kms = server.client("kms")
    closed = allow("kms:*")
    closed["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    key = kms.create_key()["KeyMetadata"]["Arn"]
    assert principal(iam, "kms:Encrypt", ResourceArns=[key])["EvalDecision"] == "allowed"
    closed["Statement"][0]["Action"] = "kms:PutKeyPolicy"
    kms.put_key_policy(KeyId=key, Policy=json.dumps(closed))
    assert principal(iam, "kms:Encrypt", ResourceArns=[key])["EvalDecision"] == "implicitDeny"


def test_another_accounts_key_tells_nothing(server, iam):
    server.user("alice", {"p": allow("kms:*")})
    other = server.client("kms", account="111122223333")
    open_to_all = allow("kms:*")
    open_to_all["Statement"][0]["Principal"] = "*"
    key = other.create_key(Policy=json.dumps(open_to_all))["KeyMetadata"]["Arn"]
    assert principal(iam, "kms:Encrypt", ResourceArns=[key])["EvalDecision"] == "implicitDeny"


def test_the_simulator_says_what_the_server_does(server, iam, refused):
    """One world, asked and done."""
    person = server.user(
        "alice",
        {
            "p": allow("kms:Encrypt", "kms:ListKeys"),
            "d": deny("kms:ListAliases"),
            "c": allow("kms:ListAliases"),
        },
    )
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    client = person.client("kms")
    done = {
        "kms:Encrypt": lambda: client.encrypt(KeyId=key, Plaintext=b"x"),
        "kms:GenerateDataKey": lambda: client.generate_data_key(KeyId=key, KeySpec="AES_256"),
        "kms:ListKeys": client.list_keys,
        "kms:ListAliases": client.list_aliases,
    }
    expected = {
        "kms:Encrypt": "allowed",
        "kms:GenerateDataKey": "implicitDeny",
        "kms:ListKeys": "allowed",
        "kms:ListAliases": "explicitDeny",
    }
    for action, call in done.items():
        resources = {} if "List" in action else {"ResourceArns": [key]}
        assert principal(iam, action, **resources)["EvalDecision"] == expected[action]
        if expected[action] == "allowed":
            call()
        else:
            with refused("AccessDeniedException"):
                call()


# -------------------------------------------------------------------------------- context keys


def test_condition_keys_of_policies_are_listed(server, iam):
    mine = allow(
        "s3:GetObject",
        resource="arn:aws:s3:::home/${aws:username}/*",
        StringLike={"aws:PrincipalTag/Team": "${aws:userid}"},
    )
    other = allow("kms:Encrypt", Bool={"AWS:principaltag/team": "x", "aws:SecureTransport": "true"})
    names = iam.get_context_keys_for_custom_policy(PolicyInputList=[json.dumps(mine), json.dumps(other)])
    assert names["ContextKeyNames"] == [
        "aws:PrincipalTag/Team",
        "aws:SecureTransport",
        "aws:userid",
        "aws:username",
    ]
    server.user("alice", {"p": other})
    found = iam.get_context_keys_for_principal_policy(
        PolicySourceArn=ALICE, PolicyInputList=[json.dumps(allow("*", Bool={"aws:ViaAWSService": "true"}))]
    )
    assert found["ContextKeyNames"] == ["AWS:principaltag/team", "aws:SecureTransport", "aws:ViaAWSService"]
