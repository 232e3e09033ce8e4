"""`keystead analyze findings | who-can | sod`: one key with its policy, its grants and who may call, from files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from keystead import errors
from keystead.analysis.account import ASSUMED, entries_of, grants_of, named, standings
from keystead.analysis.effective import ASKED, Key, Standing
from keystead.analysis.questions.duties import Duties, duties
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.outside import Opening
from keystead.analysis.questions.who_can import Allowed, who_can
from keystead.analysis.report import Finding, case, sentence, who
from keystead.arn import account_in
from keystead.cli.findings import findings_option, policy_file, read, report
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import Condition, parse
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.policyset import Level, Policies
from keystead.policy.principal import account_of
from keystead.policy.request import Principal

F = TypeVar("F", bound=Callable[..., Any])

_KEY_ARN: Final = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+")


def key_options(command: F) -> F:
    """A decorator that adds the key's policy and what stands around it."""
    for decorate in (
        findings_option,
        click.option(
            "--rcp",
            "rcps",
            type=policy_file,
            multiple=True,
            help="An RCP of the key's account; each a level.",
        ),
        click.option(
            "--scp",
            "scps",
            type=policy_file,
            multiple=True,
            help="An SCP of the key's account; each a level.",
        ),
        click.option(
            "--grants", type=policy_file, help="The key's grants, as `aws kms list-grants` prints them."
        ),
        click.option(
            "--account-details",
            type=policy_file,
            help="The account's people, as `aws iam get-account-authorization-details` prints them.",
        ),
        click.option("--key-arn", required=True, help="The key's ARN; its account owns the key."),
        click.argument("policy", type=policy_file),
    ):
        command = decorate(command)
    return command


class Given(msgspec.Struct, frozen=True):
    """What the options named, read."""

    key: Key
    standings: tuple[Standing, ...]
    texts: dict[str, str]


def given(options: dict[str, Any]) -> Given:
    """What the options name.

    Raises:
        errors.OperatorError: a file cannot be read, or does not hold what it should.
    """
    arn, policy = options["key_arn"], str(options["policy"])
    if not _KEY_ARN.fullmatch(arn):
        raise click.UsageError(f"{arn} is not the ARN of a KMS key")
    account, text = account_in(arn), read(options["policy"])
    grants = options["grants"]
    key = Key(
        arn=arn,
        account=account,
        policy=_reading(policy, lambda: compile_key_policy(text)),
        grants=_reading(str(grants), lambda: grants_of(_json(grants), arn, account)) if grants else (),
        resource_control=_levels(options["rcps"]),
    )
    return Given(key, _standings(key, options["account_details"], _levels(options["scps"])), {policy: text})


def _levels(files: Iterable[Path]) -> tuple[Level, ...]:
    return tuple(Level((_document(file),)) for file in files)


def _document(file: Path) -> CompiledPolicy:
    text = read(file)
    return _reading(str(file), lambda: compile_policy(parse(text), file.name))


def _json(file: Path) -> Any:
    return json.loads(read(file))


T = TypeVar("T")


def _reading(name: str, reader: Callable[[], T]) -> T:
    try:
        return reader()
    except errors.MalformedPolicyDocument as error:
        raise errors.OperatorError(f"{name}: {error.message}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.OperatorError(f"{name} does not hold what it should: {error!r}") from None


def _standings(key: Key, details: Path | None, scps: tuple[Level, ...]) -> tuple[Standing, ...]:
    """Who may call: the root user, the account's people, and whom policy and grants name besides."""
    root = Principal(
        type="root", arn=f"arn:{key.arn.split(':')[1]}:iam::{key.account}:root", account=key.account
    )
    found = [Standing(principal=root, policies=Policies(service_control=scps))]
    if details is not None:
        found += _reading(str(details), lambda: tuple(standings(_json(details), scps)))
    known = {one.principal.role_arn or one.principal.arn for one in found}
    return (
        *found,
        *(one for entry in sorted(entries_of(key) - known) for one in named(entry, key.account, scps)),
    )


# --------------------------------------------------------------------------- questions


@click.command()
@key_options
@click.option("--trust", "trusted", multiple=True, help="Another account within the zone of trust.")
def findings(*, output: str, trusted: tuple[str, ...], **options: Any) -> None:
    """Who from outside the key's account may use the key, by its policy or a grant, and is it public?

    AWS services are not outsiders. What the policies of other accounts say is not asked. Public access is an error,
    other access from outside a warning, which leaves the exit status 0.
    """
    it = given(options)
    zone = frozenset({it.key.account, *trusted})
    found = [_external(one, str(options["policy"])) for one in external_access(it.key, zone)]
    report(
        "external-access",
        found,
        output,
        it.texts,
        f"Nobody outside {', '.join(sorted(zone))} may use the key.",
    )


def _external(found: Opening, policy: str) -> Finding:
    what = "the public" if found.public else found.principal
    via = f" by grant {found.grant_id}" if found.grant_id else ""
    return Finding(
        rule="public-access" if found.public else "external-access",
        level="error" if found.public else "warning",
        message=f"{what} may {_listed(found.actions)}{via}{_when(found.conditions)}; "
        f"for example, {sentence(found.witness)}",
        policy=policy,
        statement=found.statement,
        sid=found.sid,
        witness=case(found.witness),
        details={
            "principal": found.principal,
            "operations": list(found.actions),
            "grantId": found.grant_id,
        },
    )


@click.command("who-can")
@key_options
@click.option("--action", help="One action only, such as kms:Decrypt.")
def who_can_command(*, output: str, action: str | None, **options: Any) -> None:
    """Who may do what with the key, why, and under which conditions.

    Key policy, grants, identity policies, boundaries, SCPs and RCPs count together; each line has been confirmed by
    the evaluator of requests.
    """
    it = given(options)
    found = [
        one
        for one in who_can(it.key, it.standings)
        if action is None or action.lower() in {operation.lower() for operation in one.operations}
    ]
    if output == "text":
        for one in found:
            print(_line(one, action))
        for note in _delegated(it.key, options):
            print(f"{note.policy}: Statement[{note.statement}]: note: {note.message}")
        return
    report("who-can", [_allowed(one, str(options["policy"])) for one in found], output, it.texts, "Nobody.")


def _line(one: Allowed, action: str | None) -> str:
    operations = (action,) if action else one.operations
    return f"{_allowed(one, '', operations).message}"


def _allowed(one: Allowed, policy: str, operations: tuple[str, ...] = ()) -> Finding:
    told = [source for source in one.sources if source.policy != ASSUMED.name]
    by = " and ".join(_source(one.policy_type, one.policy, one.statement, one.sid) for one in told)
    assumed = ", if its own account allows it" if len(told) < len(one.sources) else ""
    first = one.sources[0]
    return Finding(
        rule="who-can",
        level="note",
        message=f"{who(one.standing.principal)} may {_listed(operations or one.operations)}{_when(one.conditions)}"
        f"{assumed}, by {by}",
        policy=policy or None,
        statement=first.statement if first.policy_type == "resource" else None,
        sid=first.sid if first.policy_type == "resource" else None,
        witness=case(one.witnesses[0]),
        details={
            "principal": one.standing.principal.arn or one.standing.principal.service,
            "operations": list(one.operations),
            "sources": [msgspec.to_builtins(source) for source in one.sources],
            "assumed": bool(assumed),
        },
    )


def _source(kind: str, policy: str | None, statement: int | None, sid: str | None) -> str:
    name = (
        "the key policy" if kind == "resource" else f"{kind} {'' if kind == 'grant' else 'policy '}{policy}"
    )
    return name if statement is None else f"{name}, Statement[{statement}]" + (f" ({sid})" if sid else "")


@click.command()
@key_options
def sod(*, output: str, **options: Any) -> None:
    """May anybody both administer the key and use it?

    Who could let itself use the key by one PutKeyPolicy or CreateGrant is told as a warning. The account's root user,
    who can have every duty, is told once, as a note.
    """
    it = given(options)
    found = [_duty(one, str(options["policy"])) for one in duties(who_can(it.key, it.standings))]
    found += _delegated(it.key, options)
    report("separation-of-duties", found, output, it.texts, "Nobody both administers and uses the key.")


def _delegated(key: Key, options: dict[str, Any]) -> Iterable[Finding]:
    """A note for each statement that leaves it to identity policies which were not given."""
    if options["account_details"] is not None:
        return
    for statement in key.policy.statements:
        principal = key.policy.document.statements[statement.index].principal
        named = () if principal is None else principal.aws
        if statement.effect == "Allow" and any(account_of(entry) == key.account for entry in named):
            yield Finding(
                rule="delegated",
                level="note",
                message="it leaves the decision to the account's identity policies, which were not given "
                "(--account-details)",
                policy=str(options["policy"]),
                statement=statement.index,
                sid=statement.sid,
            )


def _duty(found: Duties, policy: str) -> Finding:
    root = found.principal.type == "root"
    if found.kind == "both":
        said = f"{who(found.principal)} may both administer the key ({_listed(found.manages)}) and use it ({_listed(found.uses)})"
    else:
        said = f"{who(found.principal)} is one step away from using the key: it may {_listed(found.manages)}"
    return Finding(
        rule=f"duties-{found.kind}",
        level="note" if root else "error" if found.kind == "both" else "warning",
        message=said,
        policy=policy,
        witness=case(found.witnesses[-1]),
        details={"principal": found.principal.arn, "manages": list(found.manages), "uses": list(found.uses)},
    )


def _listed(operations: Sequence[str]) -> str:
    return "every operation on the key" if len(operations) == len(ASKED) else ", ".join(operations)


def _when(conditions: Iterable[Condition]) -> str:
    told = " and ".join(f"{one.operator} {one.key} {', '.join(one.values)}" for one in conditions)
    return f" if {told}" if told else ""
