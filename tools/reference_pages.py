"""What the reference pages say of the API: operations, key specs and condition keys, as Markdown.

`generate_docs.py` writes the pages; here is also how a table is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from keystead.api.operation import Operation, always, never
from keystead.crypto.spec import MESSAGE_TYPES
from keystead.keys.spec import KEY_SPECS, UNSUPPORTED_SPECS
from keystead.keys.state import OPERATION_STATES, KeyState
from keystead.policy.actions import ACTIONS, GRANT_OPERATIONS
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, ConditionKey, KeyFamily, actions_of
from keystead.services.kms.service import KMS
from keystead.services.sts import STS
from keystead.wire.models import kms as kms_wire
from keystead.wire.models import sts as sts_wire

SOURCES = Path(__file__).resolve().parent.parent / "src" / "keystead"

PERMISSIONS = {
    "CreateKey": ("kms:CreateKey on `*`", "kms:TagResource on `*`, if tags are given"),
    "GetCallerIdentity": ("none",),
    "ReEncrypt": ("kms:ReEncryptFrom on the key", "kms:ReEncryptTo on the other key"),
    "ReplicateKey": (
        "kms:ReplicateKey on the key",
        "kms:CreateKey on `*` of the replica's Region",
        "kms:TagResource there, if tags are given",
    ),
    "UpdateAlias": (
        "kms:UpdateAlias on the alias",
        "on the key it points to",
        "on the key it is to point to",
    ),
    "UpdatePrimaryRegion": ("kms:UpdatePrimaryRegion on the primary key", "on the replica key"),
}
"""Operations whose permissions are not simply the action of the same name on its targets."""

WORDS = {"key": "the key", "alias": "the alias", "*": "`*`"}


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


# ------------------------------------------------------------------------------ operations


def permissions(name: str) -> str:
    """Which actions an operation is checked for, and on what."""
    if name in PERMISSIONS:
        return "<br>".join(PERMISSIONS[name])
    action = ACTIONS[f"kms:{name}"]
    first, *others = (WORDS[target] for target in action.targets)
    return "<br>".join([f"{action.name} on {first}", *(f"on {other}" for other in others)])


def crosses(name: str) -> bool:
    """Whether an operation can work on a key of another account."""
    action = ACTIONS.get(f"kms:{name}") or ACTIONS.get(f"kms:{name}From")
    return action is not None and action.cross_account and "key" in action.targets


def runs(operation: Operation) -> str:
    """Where an operation is carried out."""
    return {never: "event loop", always: "thread"}.get(operation.slow, "by key spec")


def operation_rows(operations: dict[str, Operation]) -> Iterator[list[str]]:
    """A row for each operation."""
    for name, op in sorted(operations.items()):
        yield [
            f"`{name}`",
            first_line(op.perform),
            permissions(name),
            mark(crosses(name)),
            mark(op.changes),
            mark(op.tracks_use),
            mark({name, f"{name}From"} & GRANT_OPERATIONS),
            runs(op),
        ]


def state_table() -> str:
    """Which operation goes ahead in which key state."""
    order = sorted(value for name, value in vars(KeyState).items() if name.isupper())
    rows = (
        [f"`{name}`", *(mark(state in allowed) for state in order)]
        for name, allowed in sorted(OPERATION_STATES.items())
    )
    return table(("Operation", *order), rows)


HEAD = (
    "Operation",
    "What it does",
    "Permissions",
    "Other accounts' keys",
    "Changes",
    "Use",
    "Grant",
    "Runs in",
)


def operations() -> str:
    """The page of operations."""
    missing = sorted(set(kms_wire.OPERATIONS) - set(KMS.operations))
    return f"""# Operations

Of the {len(kms_wire.OPERATIONS)} operations of AWS KMS (API version {kms_wire.SERVICE.version}),
{len(KMS.operations)} are here. {"Missing: " + code(missing) + "." if missing else "None is missing."} Of AWS STS (API
version {sts_wire.SERVICE.version}) there is {code(sorted(STS.operations))}.

* *Permissions*: each line is one check, and all must pass.
* *Other accounts' keys*: a key of another account can be named, by ARN, if its policy allows that.
* *Changes*: the call writes. Its change and its event are stored together, and the same signed request is refused
  a second time.
* *Use*: a success counts for `GetKeyLastUsage`.
* *Grant*: a grant can permit it.
* *Runs in*: operations that take milliseconds run in a thread, so that short ones do not wait for them.

## AWS KMS

{table(HEAD, operation_rows(KMS.operations))}

## AWS STS

{table(HEAD, operation_rows(STS.operations))}

## Key states

The states in which an operation on a key goes ahead; in any other it is refused. ReEncrypt has a row for each of
its two keys.

{state_table()}"""


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


def condition_keys() -> str:
    """The page of condition keys."""
    return f"""# Condition keys

Policies may name any of these. *Multi*: the key has several values; use `ForAllValues:` or `ForAnyValue:`. *Given*:
this server has a value for it on the requests where AWS has one. (The only callers at present are accounts' roots, who
have neither tags nor an organization nor a session, so that the keys about those are absent.) The others are understood
and always absent: there is no VPC here, and no AWS service that calls on somebody's behalf. `keystead policy simulate`
takes values for all of them.

{table(("Condition key", "Type", "Multi", "Given", "Actions"), condition_rows())}"""
