"""GetAdvice, signed by hand as any client can: what it tells, whom, and what is recorded of it."""

import json

import pytest
from click.testing import CliRunner
from signed_http import Client

from keystead.audit.skim import events
from keystead.cli.main import cli
from keystead.testing import RunningServer, allow, deny

ME, OTHERS = "000000000000", "444455556666"
PARTNER = f"arn:aws:iam::{OTHERS}:root"


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


def of(server, person):
    """A client that signs as the person."""
    port = int(server.url.rpartition(":")[2])
    return Client(port, person.access_key_id, person.secret_access_key, service="keystead")


@pytest.fixture(scope="module")
def root(server):
    return of(server, server.root())


@pytest.fixture(scope="module")
def story(server):
    """A bucket under the default key, and one who uses it."""
    s3 = server.root().client("s3")
    s3.create_bucket(Bucket="letters")
    s3.put_bucket_versioning(Bucket="letters", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(
        Bucket="letters", Tagging={"TagSet": [{"Key": "Classification", "Value": "secret"}]}
    )
    app = server.user("app", {"own": allow("s3:*", "kms:CreateKey")})
    for text in (b"one", b"three"):
        app.client("s3").put_object(Bucket="letters", Key="a", Body=text, ServerSideEncryption="aws:kms")
    return app


def ask(client, **asked):
    return client.call(None, asked, headers={"X-Amz-Target": "Keystead.GetAdvice"})


def told(client, **asked):
    answer = ask(client, **asked)
    assert answer.status == 200, answer.body
    return answer.document


def test_what_lies_under_a_default_key_is_told_from_the_records_of_the_store(root, story):
    (found,) = told(root, KeyId="alias/aws/s3")["Advice"]["default"]
    assert [(one["bucket"], one["versions"], one["size"], one["older"]) for one in found["objects"]] == [
        ("letters", 2, 8, 1)
    ]
    assert [(one["principal"], one["operation"], one["count"]) for one in found["uses"]] == [
        (f"arn:aws:iam::{ME}:user/app", "GenerateDataKey", 2)
    ]
    assert found["recommendation"]["verdict"] == "custom"
    assert any("Classification=secret" in reason for reason in found["recommendation"]["reasons"])
    assert all(one["holds"] for one in found["migration"]["proof"])


def test_what_somebody_wishes_counts(root, story):
    answer = told(
        root, KeyId="alias/aws/s3", Needs=["disposal"], Admin=f"arn:aws:iam::{ME}:role/Boss",
        Users=[f"arn:aws:iam::{ME}:role/Reader"],
    )  # fmt: skip
    (found,) = answer["Advice"]["default"]
    assert "disposal: it was stated" in found["recommendation"]["reasons"]
    assert "role/Boss" in found["migration"]["policy"]
    assert "role/Reader" in found["migration"]["policy"]


def test_it_takes_its_own_permission_and_no_other(server, root, story):
    others = of(server, server.user("curious", {"a": allow("kms:*", "s3:*", "iam:*", "cloudtrail:*")}))
    assert ask(others).code == "AccessDeniedException"
    adviser = of(server, server.user("adviser", {"a": allow("keystead:GetAdvice")}))
    assert told(adviser, KeyId="alias/aws/s3") == told(root, KeyId="alias/aws/s3")
    hushed = server.user("hushed", {"a": allow("keystead:*"), "b": deny("keystead:GetAdvice")})
    assert ask(of(server, hushed)).code == "AccessDeniedException"


def test_the_permission_can_be_on_one_key(server, root):
    kms = server.client("kms")
    one, other = (kms.create_key()["KeyMetadata"] for _ in range(2))
    kms.create_alias(AliasName="alias/one", TargetKeyId=one["KeyId"])
    person = of(server, server.user("narrow", {"a": allow("keystead:GetAdvice", resource=one["Arn"])}))
    for name in (one["Arn"], one["KeyId"], "alias/one"):
        assert told(person, KeyId=name)["Advice"]["custom"][0]["key"] == one["Arn"]
    for name in (other["Arn"], other["KeyId"]):
        assert ask(person, KeyId=name).code == "AccessDeniedException"
    assert ask(person).code == "AccessDeniedException"


def test_a_key_policy_does_not_give_it(server):
    person = server.user("named")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ME}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ME}:user/named"}, "Action": "*", "Resource": "*"},
    ]}  # fmt: skip
    key = server.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    assert ask(of(server, person), KeyId=key).code == "AccessDeniedException"


def test_another_account_is_told_nothing_of_a_key(server, root):
    outsider = of(server, server.root(OTHERS))
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{ME}:root", PARTNER]}, "Action": "kms:*", "Resource": "*"},
    ]}  # fmt: skip
    key = server.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    assert ask(outsider, KeyId=key).code == "NotFoundException"
    assert ask(outsider, KeyId=key[:-1] + "0").code == "NotFoundException"
    assert told(outsider)["Advice"]["custom"] == []


def test_one_event_tells_of_it(server, root, story):
    answer = ask(root, KeyId="alias/aws/s3", MaxEvents=5)
    recorded = [json.loads(payload) for payload in events(server.data_dir, "w0")]
    (event,) = [one for one in recorded if one.get("requestID") == answer.headers["x-amzn-requestid"]]
    assert event["eventName"] == "GetAdvice"
    assert event["eventSource"] == "api.keystead"
    assert event["readOnly"]
    assert event["requestParameters"] == {"keyId": "alias/aws/s3", "maxEvents": 5}
    assert event["responseElements"] is None


def test_a_refusal_is_recorded_and_explained(server):
    nobody = server.user("nobody")
    answer = ask(of(server, nobody))
    assert "keystead:GetAdvice" in answer.message
    recorded = [json.loads(payload) for payload in events(server.data_dir, "w0")]
    (event,) = [one for one in recorded if one.get("requestID") == answer.headers["x-amzn-requestid"]]
    assert event["errorCode"] == "AccessDenied"


@pytest.mark.parametrize(
    "asked",
    [
        {"Needs": ["fame"]},
        {"Days": 0},
        {"MaxEvents": 100_001},
        {"Marker": "a/b"},
        {"Admin": "me"},
        {"KeyId": ""},
    ],
)
def test_what_breaks_the_constraints_is_refused(root, asked):
    assert ask(root, **asked).code == "ValidationException"


def test_a_key_that_is_not_there_is_not_found(root):
    assert ask(root, KeyId="alias/none").code == "NotFoundException"
    assert ask(root, KeyId="no key").code == "NotFoundException"


def test_what_was_not_looked_at_is_said(root, story):
    answer = told(root, KeyId="alias/aws/s3", MaxEvents=1, MaxVersions=1)["Advice"]
    assert not answer["default"][0]["complete"]
    assert answer["default"][0]["objects"][0]["versions"] == 1
    assert any("the newest 1 events" in note for note in answer["notSeen"])
    assert any("of bucket letters 1 versions" in note for note in answer["notSeen"])


def test_all_keys_are_told_page_by_page():
    with RunningServer() as server:
        kms, root = server.client("kms"), of(server, server.root())
        made = {kms.create_key()["KeyMetadata"]["Arn"] for _ in range(23)}
        first = told(root)
        assert first["Truncated"]
        second = told(root, Marker=first["NextMarker"])
        assert not second["Truncated"]
        found = [one["key"] for page in (first, second) for one in page["Advice"]["custom"]]
        assert len(found) == len(made)
        assert set(found) == made


def test_a_call_from_another_account_is_a_live_user_of_a_key_to_be_deleted():
    with RunningServer() as server:
        server.credential(OTHERS)
        root = of(server, server.root())
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{ME}:root", PARTNER]}, "Action": "kms:*", "Resource": "*"},
        ]}  # fmt: skip
        kms = server.client("kms")
        key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        server.root(OTHERS).client("kms").encrypt(KeyId=key, Plaintext=b"x")
        kms.schedule_key_deletion(KeyId=key)
        (found,) = told(root, KeyId=key)["Advice"]["custom"]
        assert found["advice"][0]["rule"] == "deletion-with-users"
        assert PARTNER in found["advice"][0]["message"]


# ------------------------------------------------------------------------- the command


def run(environment, *words):
    done = CliRunner().invoke(
        cli, ["advise", "--output", "json", *words], env=environment, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    said = done.stdout
    return json.loads(said[said.index("{\n") :])  # the server of this process writes its log there, too


def test_the_command_says_the_same_by_all_its_ways(server, root, story):
    reader = server.user(
        "reader", {"a": allow("kms:*", "s3:*", "iam:Get*", "cloudtrail:LookupEvents", "sts:*")}
    )
    by_server = run(server.root().environment, "alias/aws/s3")
    assert by_server["default"] == told(root, KeyId="alias/aws/s3")["Advice"]["default"]
    by_directory = run(
        {"AWS_ENDPOINT_URL": ""}, "alias/aws/s3", "--data-dir", str(server.data_dir), "--account", ME
    )
    for found in (*by_directory["default"], *by_server["default"]):
        found["last_used"] = int(found["last_used"])  # events tell whole seconds
    assert by_directory["default"] == by_server["default"]
    drawn = run(reader.environment, "alias/aws/s3")
    assert any("keystead:GetAdvice" in note for note in drawn["notSeen"])
    for member in ("objects", "needs", "abilities"):
        assert drawn["default"][0][member] == by_server["default"][0][member]


def test_a_data_directory_is_read_where_no_server_runs(tmp_path):
    with RunningServer(tmp_path) as server:
        key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        server.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    found = run({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "--data-dir", str(tmp_path))
    (custom,) = found["custom"]
    assert custom["key"] == key
    assert [(one["operation"], one["count"]) for one in custom["uses"]] == [("Encrypt", 1)]
    assert custom["last_used"] is not None


def test_of_several_accounts_one_must_be_named(tmp_path):
    with RunningServer(tmp_path) as server:
        server.credential(OTHERS)
        server.client("kms").create_key()
    words = ["advise", "--data-dir", str(tmp_path)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1
    assert "--account" in done.output
    assert CliRunner().invoke(cli, [*words, "--account", ME]).exit_code == 0
