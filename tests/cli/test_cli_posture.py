"""`keystead analyze posture` against a running server, and `analyze template` on files."""

import json

import pytest
from click.testing import CliRunner

from keystead.cli.main import cli
from keystead.testing import RunningServer, allow


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


def asked(server, *words, expect=0):
    done = CliRunner().invoke(
        cli,
        ["analyze", "posture", "--output", "json", *words],
        env=server.environment(),
        catch_exceptions=False,
    )
    assert done.exit_code == expect, done.output
    return json.loads(done.stdout)["findings"]


def test_a_server_is_asked_what_scanners_ask(server):
    kms = server.client("kms")
    plain = kms.create_key()["KeyMetadata"]
    policy = json.loads(kms.get_key_policy(KeyId=plain["KeyId"])["Policy"])
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    policy["Statement"].append(anybody)
    public = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]
    server.user("ann", policies={"own": allow("kms:*")})
    found = {(one["rule"], one["details"]["subject"]): one for one in asked(server, expect=1)}
    assert found["not-public", public["Arn"]]["level"] == "error"
    assert (
        found["rotation", plain["Arn"]]["details"]["scanners"]["Prowler kms_cmk_rotation_enabled"] == "FAIL"
    )
    (identity,) = [one for (rule, _), one in found.items() if rule == "no-decrypt-on-all-keys"]
    assert "user/ann policy own" in identity["message"]
    assert not any("Checkov" in one["message"] for one in found.values())


def test_one_key_is_asked_about_and_all_that_passes_is_told(server):
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    found = asked(server, key, "--all")
    assert {one["details"]["status"] for one in found} == {"pass", "fail", "not-applicable"}
    assert len({one["details"]["subject"] for one in found}) == 1


def test_days_are_counted_by_the_clock_of_the_server():
    with RunningServer() as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]

        def idle():
            (found,) = [one for one in asked(server, key, "--all") if one["rule"] == "in-use"]
            return found["details"]["status"], found["message"]

        before = idle()
        server.advance(400 * 86_400)
        assert idle() != before


TEMPLATE = """\
Resources:
  Open:
    Type: AWS::KMS::Key
    Properties:
      EnableKeyRotation: true
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: "*", Action: "kms:*", Resource: "*"}
  Lost:
    Type: AWS::KMS::Key
    Properties:
      EnableKeyRotation: true
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {AWS: "444455556666"}, Action: "kms:Decrypt", Resource: "*"}
  Late:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy: !ImportValue policy
"""


def template(tmp_path, *words, text=TEMPLATE):
    (tmp_path / "t.yaml").write_text(text)
    return CliRunner().invoke(cli, ["analyze", "template", str(tmp_path / "t.yaml"), *words])


def test_a_template_is_analyzed_without_a_server(tmp_path):
    done = template(tmp_path, "--output", "json")
    assert done.exit_code == 1
    found = {(one["rule"], one["line"]): one for one in json.loads(done.stdout)["findings"]}
    assert found["not-public", 3]["level"] == "error"
    assert "may kms:" in found["not-public", 3]["message"]
    assert found["lockout", 11]["level"] == "error"
    assert found["external-access", 11]["level"] == "warning"
    assert found["not-known-yet", 19]["level"] == "error"
    assert ("rotation", 19) in found


def test_what_is_not_known_yet_may_be_allowed(tmp_path):
    late = "Resources:\n" + TEMPLATE[TEMPLATE.index("  Late:") :]
    assert template(tmp_path, text=late).exit_code == 1
    assert template(tmp_path, "--allow-unknown", text=late).exit_code == 0


def test_findings_stand_in_the_template_for_tools_that_show_them_in_code(tmp_path):
    results = json.loads(template(tmp_path, "--output", "sarif").stdout)["runs"][0]["results"]
    public = next(one for one in results if one["ruleId"] == "not-public")
    (place,) = public["locations"]
    assert place["physicalLocation"]["region"] == {"startLine": 3}


def test_what_is_no_template_ends_in_one_line(tmp_path):
    done = template(tmp_path, text="a: b")
    assert done.exit_code != 0
    assert "neither a plan" in str(done.exception or done.output)
