"""Replays and unused access of policies of people and organizations, by a running server's own journal."""

import json

import pytest
from click.testing import CliRunner

from keystead.cli.main import cli
from keystead.testing import RunningServer

HERE = "000000000000"


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.fixture(scope="module")
def world():
    """Two keys that leave all to IAM; Ann with an inline policy, an App with a managed one, and Bob through a group."""
    with RunningServer() as server:
        root = server.root()
        organizations, iam, kms = root.client("organizations"), root.client("iam"), root.client("kms")
        organizations.create_organization(FeatureSet="ALL")
        node = organizations.list_roots()["Roots"][0]["Id"]
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
            organizations.enable_policy_type(RootId=node, PolicyType=kind)
        one, two = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        use = iam.create_policy(
            PolicyName="use",
            PolicyDocument=json.dumps(document(statement(["kms:Decrypt", "kms:Encrypt", "s3:GetObject"]))),
        )["Policy"]["Arn"]
        ann = server.user("ann", {"own": document(statement("kms:*"), statement("s3:*"))})
        bob = server.user("bob")
        iam.create_group(GroupName="users")
        iam.add_user_to_group(GroupName="users", UserName="bob")
        iam.put_group_policy(
            GroupName="users", PolicyName="all", PolicyDocument=json.dumps(document(statement("*")))
        )
        app = server.role("App")
        iam.attach_role_policy(RoleName="App", PolicyArn=use)
        context = {"tenant": "one"}
        sealed = ann.client().encrypt(KeyId=one, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        ann.client().list_keys()
        session = server.assume(app).client()
        for _ in range(3):
            session.decrypt(CiphertextBlob=sealed, EncryptionContext=context)
        bob.client().generate_data_key(KeyId=two, KeySpec="AES_256")
        yield server, one, two, use, node


def asked(world, directory, question, *words, policy=None, status=0):
    arguments = ["analyze", question]
    if policy is not None:
        path = directory / "proposed.json"
        path.write_text(json.dumps(policy))
        arguments.append(str(path))
    arguments += [*words, "--data-dir", str(world[0].data_dir), "--output", "json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)["findings"]


def refused(found):
    return {
        (one["details"]["principal"].rpartition(":")[2], one["details"]["operation"], one["details"]["count"])
        for one in found
        if one["rule"] == "use-refused"
    }


ANN = ("--as", f"arn:aws:iam::{HERE}:user/ann", "--inline", "own")


def test_an_inline_policy_is_replayed(world, tmp_path):
    wide = document(statement("kms:*"), statement("s3:*"))
    assert asked(world, tmp_path, "replay", *ANN, policy=wide) == []
    narrow = document(statement("kms:*", world[2]), statement(["kms:List*", "kms:Create*", "s3:*"]))
    found = asked(world, tmp_path, "replay", *ANN, policy=narrow, status=1)
    assert refused(found) == {("user/ann", "kms:Encrypt", 1)}


def test_what_is_asked_on_no_key_is_not_replayed_and_that_is_said(world, tmp_path):
    found = asked(world, tmp_path, "replay", *ANN, policy=document(statement("kms:*")))
    assert [one["rule"] for one in found] == ["not-replayed"]
    assert "s3:" in found[0]["message"]
    keyless = document(statement("kms:*", "arn:aws:kms:*:*:key/*"), statement("s3:*"))
    assert [one["rule"] for one in asked(world, tmp_path, "replay", *ANN, policy=keyless)] == ["not-replayed"]


def test_a_managed_policy_is_replayed_for_all_who_have_it(world, tmp_path):
    words = ("--as", world[3])
    found = asked(
        world,
        tmp_path,
        "replay",
        *words,
        policy=document(statement(["kms:Encrypt", "s3:GetObject"])),
        status=1,
    )
    assert refused(found) == {("role/App", "kms:Decrypt", 3)}
    context = {"StringEquals": {"kms:EncryptionContext:tenant": "one"}}
    kept = document(statement("kms:Decrypt", Condition=context), statement(["kms:Encrypt", "s3:GetObject"]))
    assert asked(world, tmp_path, "replay", *words, policy=kept) == []
    context = {"StringEquals": {"kms:EncryptionContext:tenant": "two"}}
    lost = document(statement("kms:Decrypt", Condition=context), statement(["kms:Encrypt", "s3:GetObject"]))
    assert refused(asked(world, tmp_path, "replay", *words, policy=lost, status=1)) == {
        ("role/App", "kms:Decrypt", 3)
    }


def test_a_policy_of_a_group_is_replayed_for_its_members(world, tmp_path):
    words = ("--as", f"arn:aws:iam::{HERE}:group/users", "--inline", "all")
    denied = document(statement("*"), {"Effect": "Deny", "Action": "kms:Generate*", "Resource": "*"})
    found = asked(world, tmp_path, "replay", *words, policy=denied, status=1)
    assert refused(found) == {("user/bob", "kms:GenerateDataKey", 1)}
    assert [one["statement"] for one in found if one["rule"] == "use-refused"] == [1]


def test_a_control_policy_that_is_to_be_attached_is_replayed():
    with RunningServer() as server:
        root = server.root()
        organizations = root.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        node = organizations.list_roots()["Roots"][0]["Id"]
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
            organizations.enable_policy_type(RootId=node, PolicyType=kind)
        member = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"][
            "AccountId"
        ]
        chief = server.root(member)
        key = chief.client("kms").create_key()["KeyMetadata"]["Arn"]
        chief.client("kms").encrypt(KeyId=key, Plaintext=b"x")
        deployment = (server, key, None, None, node)
        deny = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
        for place in (f"scp:{node}", f"scp:{member}", f"rcp:{node}"):
            own = {**deny, "Principal": "*"} if place.startswith("rcp") else deny
            found = asked(
                deployment, server.data_dir, "replay", "--as", place, policy=document(own), status=1
            )
            assert refused(found) == {("root", "kms:Encrypt", 1)}, place
        harmless = document({**deny, "Action": "kms:Sign"})
        found = asked(deployment, server.data_dir, "replay", "--as", f"scp:{node}", policy=harmless)
        assert found == []
        closing = document({**deny, "Action": ["kms:Sign", "s3:DeleteBucket"]})
        (found,) = asked(deployment, server.data_dir, "replay", "--as", f"scp:{node}", policy=closing)
        assert found["rule"] == "not-replayed"
        assert "s3:deletebucket" in found["message"].lower()


def test_unused_access_of_an_inline_policy_and_a_narrower_one(world, tmp_path):
    target = tmp_path / "narrow.json"
    found = asked(world, tmp_path, "unused", *ANN, "--proposal", str(target))
    by = {one["rule"]: one for one in found}
    assert by["unused-access"]["details"]["principal"].endswith("user/ann")
    assert "kms:Decrypt" in by["unused-access"]["details"]["unused"]
    assert "kms:Encrypt" not in by["unused-access"]["details"]["unused"]
    narrow = json.loads(target.read_text())
    (keys,) = [one for one in narrow["Statement"] if one["Action"] == ["kms:Encrypt"]]
    assert keys["Resource"] == [world[1]]
    assert keys["Condition"] == {"StringEquals": {"kms:EncryptionContext:tenant": "one"}}
    assert any("kms:ListKeys" in one["Action"] for one in narrow["Statement"])
    assert any(one["Action"] == "s3:*" for one in narrow["Statement"])
    assert asked(world, tmp_path, "replay", *ANN, policy=narrow) == []


def test_a_narrower_managed_policy_keeps_what_other_services_need(world, tmp_path):
    target = tmp_path / "narrow.json"
    asked(world, tmp_path, "unused", "--as", world[3], "--proposal", str(target))
    narrow = json.loads(target.read_text())
    actions = [one["Action"] for one in narrow["Statement"]]
    assert actions == [["s3:GetObject"], ["kms:Decrypt"]]
    assert asked(world, tmp_path, "replay", "--as", world[3], policy=narrow) == []


def test_everything_is_narrowed_to_all_but_keys(world, tmp_path):
    target = tmp_path / "narrow.json"
    words = ("--as", f"arn:aws:iam::{HERE}:group/users", "--inline", "all")
    asked(world, tmp_path, "unused", *words, "--proposal", str(target))
    narrow = json.loads(target.read_text())
    assert narrow["Statement"][0] == {"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}
    assert narrow["Statement"][-1]["Action"] == ["kms:GenerateDataKey"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "arn:aws:iam::000000000000:policy/none"), "there is no policy"),
        (("--as", "arn:aws:iam::000000000000:user/none", "--inline", "a"), "there is no arn"),
        (("--as", "arn:aws:iam::000000000000:user/ann"), "--inline"),
        (("--as", "scp:ou-none"), "is no root, unit or account"),
        (("--as", "p-FullAWSAccess"), "there is no policy"),
        (("--as", "nonsense"), "is no place"),
        ((), "--key-arn"),
    ],
)
def test_a_place_that_is_none_ends_in_one_line(world, tmp_path, words, said):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(document(statement("*"))))
    done = CliRunner().invoke(
        cli, ["analyze", "replay", str(path), *words, "--data-dir", str(world[0].data_dir)]
    )
    assert done.exit_code != 0
    assert said in done.output or said in str(done.exception)


def test_nothing_proposed_is_stored(world, tmp_path):
    server = world[0]
    before = server.client("iam").get_user_policy(UserName="ann", PolicyName="own")["PolicyDocument"]
    asked(world, tmp_path, "replay", *ANN, policy=document(statement("s3:*")), status=1)
    assert server.client("iam").get_user_policy(UserName="ann", PolicyName="own")["PolicyDocument"] == before
