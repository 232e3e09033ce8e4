"""`keystead advise` against a running server: what it finds, that its files work, and that it sees what its caller may."""

import json

import pytest
from click.testing import CliRunner

from keystead.cli.main import cli
from keystead.testing import RunningServer, allow


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


def run(person, *words, expect=0):
    done = CliRunner().invoke(cli, ["advise", *words], env=person.environment, catch_exceptions=False)
    assert done.exit_code == expect, done.output
    return done.stdout


@pytest.fixture(scope="module")
def story(server):
    """Two buckets under the default key, each with an application of its own; and one who only may."""
    root = server.root()
    s3 = root.client("s3")
    people = {}
    for name in ("letters", "bills"):
        s3.create_bucket(Bucket=name)
        role = server.role(name.title(), policies={"own": allow("s3:*", "kms:CreateKey")})
        people[name] = server.assume(role)
        for number in range(3):
            people[name].client("s3").put_object(
                Bucket=name, Key=f"{number}", Body=b"x" * 10, ServerSideEncryption="aws:kms"
            )
    server.role("Batch", policies={"own": allow("s3:GetObject")})
    people["letters"].client("s3").get_object(Bucket="letters", Key="0")
    return people


def advice(server, *words):
    return json.loads(run(server.root(), "--output", "json", *words))


def test_what_lies_under_a_default_key_and_who_used_it_is_told(server, story):
    (found,) = advice(server)["default"]
    assert found["aliases"] == ["alias/aws/s3"]
    assert {(one["bucket"], one["versions"], one["size"]) for one in found["objects"]} == {
        ("letters", 3, 30), ("bills", 3, 30),
    }  # fmt: skip
    used = {
        (one["principal"].rpartition("/")[2], one["operation"], one["count"], one["service"])
        for one in found["uses"]
    }
    assert ("Letters", "GenerateDataKey", 3, "s3.amazonaws.com") in used
    assert ("Letters", "Decrypt", 1, "s3.amazonaws.com") in used
    assert not any(one["possible"] for one in found["abilities"])


def test_the_needs_that_the_facts_show_are_named(server, story):
    (found,) = advice(server)["default"]
    applying = {one["name"] for one in found["needs"] if one["applies"]}
    assert applying == {"granularity", "resilience"}
    assert any("role/Batch" in reason for reason in found["recommendation"]["reasons"])
    assert all(one["holds"] for one in found["migration"]["proof"])


def test_the_log_of_the_deployment_tells_the_same_as_lookup_events(server, story):
    by_log = advice(server, "--data-dir", str(server.data_dir))["default"][0]["uses"]
    assert by_log == advice(server)["default"][0]["uses"]


def test_the_newest_events_only_are_read_and_that_is_said(server, story):
    told = advice(server, "--events", "2", "--objects", "1")
    assert not told["default"][0]["complete"]
    assert any("the newest 2 events" in note for note in told["notSeen"])
    assert any("1 versions were looked at" in note for note in told["notSeen"])


def test_a_written_policy_is_taken_and_the_data_moves_under_it(server, story, tmp_path):
    root = server.root()
    written = advice(server, "--write", str(tmp_path / "plan"), "alias/aws/s3")["written"]
    assert {name.rpartition("/")[2] for name in written} == {
        "key-policy.json",
        "main.tf",
        "template.json",
        "reencrypt.sh",
    }
    server.role("KeyAdmin")
    policy = (tmp_path / "plan/s3-data/key-policy.json").read_text()
    kms = root.client("kms")
    key = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/s3-data", TargetKeyId=key)
    done = CliRunner().invoke(
        cli, ["s3", "reencrypt", "letters", "--key-id", key, "--read"], env=story["letters"].environment
    )
    assert done.exit_code == 0, done.output
    head = story["letters"].client("s3").head_object(Bucket="letters", Key="0")
    assert head["SSEKMSKeyId"] == key
    after = {one["key"]: one for one in advice(server)["custom"]}
    assert after[key]["advice"][0]["rule"] == "rotation"


def test_a_caller_sees_what_it_may_and_hears_of_the_rest(server, story):
    limited = server.user(
        "limited", policies={"own": allow("kms:List*", "kms:Describe*", "kms:GetKeyPolicy")}
    )
    said = run(limited, "--output", "json")
    told = json.loads(said[said.index("{\n") :])  # the server of this process writes its log there, too
    assert told["default"][0]["objects"] == []
    assert any("who is in the account" in note for note in told["notSeen"])
    assert any("the events of" in note for note in told["notSeen"])


def test_people_read_it_too(server, story):
    said = run(server.root(), "alias/aws/s3", "--need", "sharing")
    assert "a custom key is recommended" in said
    assert "because sharing: it was stated" in said
    assert "proven: who administers the new key does not use it" in said


def test_a_key_that_is_not_there_ends_in_one_line(server):
    done = CliRunner().invoke(cli, ["advise", "alias/none"], env=server.root().environment)
    assert done.exit_code == 1
    assert "NotFoundException" in done.output
