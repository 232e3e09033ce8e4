"""How findings are printed: for people, as JSON, and as SARIF for tools that show findings in code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click
import msgspec

from keystead import __version__, errors
from keystead.analysis.report import Finding
from keystead.analysis.rules import CHECKS, FINDINGS
from keystead.cli.output import show
from keystead.policy.issue_codes import MEANINGS
from keystead.policy.spans import spans

findings_option = click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How to print findings.",
)

policy_file: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def read(file: Path) -> str:
    """The text of a file.

    Raises:
        errors.OperatorError: it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise errors.OperatorError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise errors.OperatorError(f"{file} is not UTF-8 text") from None


_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def report(
    question: str, findings: Sequence[Finding], output: str, files: Mapping[str, str], proven: str
) -> None:
    """None; the findings are printed. Exit status 1 if one of them is an error.

    `files` are the texts of the policies by their names; `proven` is said where nothing was found.
    """
    failed = any(finding.level == "error" for finding in findings)
    if output == "json":
        told = [msgspec.to_builtins(finding) for finding in findings]
        show({"question": question, "result": "fail" if failed else "pass", "findings": told})
    elif output == "sarif":
        show(sarif(findings, files))
    else:
        for finding in findings:
            print(_line(finding))
        if not findings:
            print(proven)
    if failed:
        sys.exit(1)


def _line(finding: Finding) -> str:
    line = "" if finding.line is None else f":{finding.line}"
    place = [f"{finding.policy}{line}"] if finding.policy else []
    if finding.statement is not None:
        place.append(f"Statement[{finding.statement}]" + (f" ({finding.sid})" if finding.sid else ""))
    return ": ".join([*place, f"{finding.level}: {finding.message} [{finding.rule}]"])


def sarif(findings: Sequence[Finding], files: Mapping[str, str]) -> dict[str, Any]:
    """The findings as a SARIF 2.1.0 log (OASIS, "Static Analysis Results Interchange Format")."""
    rules = sorted({finding.rule for finding in findings})
    meanings = {**MEANINGS, **CHECKS, **FINDINGS}
    driver = {
        "name": "keystead analyze",
        "version": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": meanings[rule]}} for rule in rules],
    }
    results = [_result(finding, files) for finding in findings]
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(finding: Finding, files: Mapping[str, str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": finding.level,
        "message": {"text": finding.message},
    }
    if finding.policy is not None:
        result["locations"] = [_location(finding, finding.policy, files.get(finding.policy, ""))]
    if finding.witness is not None:
        result["properties"] = {"witness": finding.witness}
    return result


def _location(finding: Finding, name: str, text: str) -> dict[str, Any]:
    """A place in a file; of a policy that is in none, its name."""
    path = Path(name)
    if not path.is_file():
        return {"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]}
    place: dict[str, Any] = {
        "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}
    }
    region = {"startLine": finding.line} if finding.line is not None else _region(text, finding.statement)
    if region:
        place["region"] = region
    return {"physicalLocation": place}


def _region(text: str, statement: int | None) -> dict[str, int]:
    """Where the statement stands; lines and columns from 1, as SARIF counts them."""
    if statement is None or not text:
        return {}
    found = spans(text)
    span = found.get(("Statement", statement)) or found.get(("Statement",))
    if span is None:
        return {}
    return {
        "startLine": span.start.line,
        "startColumn": span.start.column + 1,
        "endLine": span.end.line,
        "endColumn": span.end.column + 1,
    }
