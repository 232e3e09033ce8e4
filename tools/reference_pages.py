"""What the reference pages say of key specs and condition keys, as Markdown, and how a table is written.

`generate_docs.py` writes the pages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from keystead.analysis.rules import ADVICE, CHECKS, FINDINGS
from keystead.crypto.spec import MESSAGE_TYPES
from keystead.keys.spec import KEY_SPECS, UNSUPPORTED_SPECS
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, ConditionKey, KeyFamily, actions_of
from keystead.policy.issue_codes import ISSUE_TYPES, MEANINGS, NOT_REPORTED
from keystead.policy.s3_keys import ABSENT, S3_KEYS

SOURCES = Path(__file__).resolve().parent.parent / "src" / "keystead"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(values: Iterable[str]) -> str:
    """Words in code type, with commas."""
    return ", ".join(f"`{value}`" for value in values)


def first_line(documented: object) -> str:
    """The first sentence of a docstring."""
    return re.sub(r"\s+", " ", (documented.__doc__ or "").strip().split("\n\n")[0])


def mark(yes: object) -> str:
    """What a yes-or-no cell holds."""
    return "yes" if yes else ""


# ------------------------------------------------------------------------------- key specs


def spec_rows() -> Iterator[list[str]]:
    """A row for each key spec and usage."""
    for spec in KEY_SPECS.values():
        for usage, algorithms in spec.algorithms.items():
            lengths = " or ".join(str(length) for length in spec.material_lengths)
            yield [
                f"`{spec.name}`",
                f"`{usage}`",
                code(algorithms),
                f"{lengths} bytes" if lengths else "PKCS #8",
            ]


def key_specs() -> str:
    """The page of key specs."""
    types = ([f"`{name}`", code(sorted(taken, reverse=True))] for name, taken in MESSAGE_TYPES.items())
    refused = ([f"`{name}`", says] for name, says in UNSUPPORTED_SPECS.items())
    return f"""# Key specs

The key usage is chosen when a key is created and never changes. *Imported material*: the form in which key
material of that spec is imported.

{table(("Key spec", "Key usage", "Algorithms", "Imported material"), spec_rows())}

## Message types

What `MessageType` may be for each signing algorithm.

{table(("Algorithm", "Message types"), types)}

## Refused

AWS names these too. Here they are refused with `UnsupportedOperationException`.

{table(("Key spec", "Message"), refused)}"""


# -------------------------------------------------------------------------- condition keys


def spoken_of() -> frozenset[str]:
    """Condition keys that the server's own code names, in lower case: those it gives values to."""
    rooms = (SOURCES / "api", SOURCES / "services")
    texts = (path.read_text() for room in rooms for path in room.rglob("*.py"))
    nodes = (node for text in texts for node in ast.walk(ast.parse(text)))
    strings = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return frozenset(text.lower() for text in strings if text.lower().startswith(("kms:", "aws:")))


def available_for(key: ConditionKey | KeyFamily) -> str:
    """For which actions a condition key is there."""
    if key.scope == "global":
        return "every action"
    names = {action.removeprefix("kms:") for action in actions_of(key)}
    on_keys = {action.name.removeprefix("kms:") for action in ACTIONS.values() if "key" in action.targets}
    if names >= on_keys:
        return ", ".join(["every action on a key", *sorted(names - on_keys)])
    return ", ".join(sorted(names)) or same_as(key)


def same_as(key: ConditionKey | KeyFamily) -> str:
    """The condition key of which this one is an older name."""
    twins = (row.name for row in CONDITION_KEYS.values() if row.value is getattr(key, "value", None))
    return "as " + code(sorted(set(twins) - {getattr(key, "name", "")}))


def condition_rows() -> Iterator[list[str]]:
    """A row for each condition key and family."""
    named = spoken_of()
    for key in sorted(CONDITION_KEYS.values(), key=lambda row: row.name.lower()):
        given = key.value is not None or key.name.lower() in named
        yield [f"`{key.name}`", key.type, mark(key.multi), mark(given), available_for(key)]
    for family in FAMILIES:
        yield [f"`{family.prefix}…`", "string", "", mark("given"), available_for(family)]


def s3_rows() -> Iterator[list[str]]:
    """A row for each condition key of S3."""
    for key in S3_KEYS.values():
        name = f"`{key.name}…`" if key.family else f"`{key.name}`"
        yield [name, key.type, mark(key.multi), key.said or f"the request's `{key.parameter}`"]


def condition_keys() -> str:
    """The page of condition keys."""
    return f"""# Condition keys

Policies may name any of these. *Multi*: the key has several values; use `ForAllValues:` or `ForAnyValue:`. *Given*:
this server has a value for it on the requests where AWS has one. The others are understood and always absent: there is
no VPC, no EC2 instance and no centrally managed root session here, and `aws:referer` is not read. `keystead policy
simulate` takes values for all of them. The last column names actions of KMS.

{table(("Condition key", "Type", "Multi", "Given", "Actions"), condition_rows())}
## Amazon S3

Absent where a request does not say it. The other keys that AWS has for S3 are understood and always absent:
{code(sorted(ABSENT))}.

{table(("Condition key", "Type", "Multi", "Value"), s3_rows())}"""


# ---------------------------------------------------------------------------- issue codes


def issue_rows(kind: str) -> Iterator[list[str]]:
    """A row for each issue code of a type."""
    for issue in sorted(MEANINGS):
        if ISSUE_TYPES[issue] == kind:
            yield [f"`{issue}`", MEANINGS[issue]]


def issue_codes() -> str:
    """The page of ValidatePolicy's issue codes."""
    parts = (
        f"## {title}\n\n{table(('Code', 'Meaning'), issue_rows(kind))}"
        for kind, title in (
            ("ERROR", "Errors"),
            ("SECURITY_WARNING", "Security warnings"),
            ("WARNING", "Warnings"),
            ("SUGGESTION", "Suggestions"),
        )
    )
    findings = (
        "The rules of `keystead analyze`, in brackets behind each finding, and the rule ids in SARIF. An error ends the "
        "command with exit status 1; what the words mean says [](../how-to/analyze-policies.md)."
    )
    rest = (
        ("Not reported", "Codes of AWS's that may be about key policies and are not told here.", "Code", "Reason", NOT_REPORTED),
        ("Findings of questions", findings, "Rule", "Meaning", FINDINGS),
        ("Checks of scanners", "What `keystead analyze posture` and `template` check; the meaning is what passes.", "Check",
         "Meaning", CHECKS),
        ("Advice", "The rules of `keystead advise` on custom keys.", "Rule", "Meaning", ADVICE),
    )  # fmt: skip
    more = (
        f"## {title}\n\n{about}\n\n"
        + table((name, meaning), ([f"`{code}`", said] for code, said in sorted(rows.items())))
        for title, about, name, meaning, rows in rest
    )
    head = f"""# Issue codes and findings

ValidatePolicy of IAM Access Analyzer, `keystead analyze template` and `keystead advise` tell these {len(MEANINGS)} codes, each with
the place in the text: its path, and line, column and offset from where to where. Those that begin with `KEYSTEAD_` are told by
nobody else. What is marked *proven* is decided for all requests at once
([how](../adr/0017-policies-proven-with-automata.md)); where it cannot be decided it is not told.

* An **error** keeps the policy, or the element, from having its effect.
* A **security warning** is about a policy that lets in more than its author is likely to mean.
* A **warning** is about an element that does not do what it seems to.
* A **suggestion** changes nothing that the policy allows.

Codes that need a catalogue of every AWS service are told of AWS KMS only, and of the form of ARNs of S3 and IAM."""
    return "\n\n".join([head, *parts, *more])
