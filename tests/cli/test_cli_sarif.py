"""SARIF as OASIS has it (sections 3.10, 3.27-3.30, 3.49): what its schema asks for of what is printed, and all rules explained."""

import ast
import json
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from click.testing import CliRunner

import keystead
from keystead.analysis.advisor.hygiene import RuleName
from keystead.analysis.report import Finding
from keystead.analysis.rules import ADVICE, CHECKS, FINDINGS
from keystead.cli.findings import sarif
from keystead.cli.main import cli

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
    for given in (name, str(new)):
        done = CliRunner().invoke(cli, ["analyze", "diff", "old.json", given, "--output", "sarif"])
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
