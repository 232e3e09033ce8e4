"""`keystead analyze blast-radius`: what somebody reaches who has stolen an identity's credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from keystead.analysis.effective import ASKED, Key, Standing
from keystead.analysis.questions.duties import STEPS, USE
from keystead.analysis.questions.reach import AssumableRole, Reached, gives_itself, reached
from keystead.analysis.questions.who_can import who_can
from keystead.analysis.report import Finding, case
from keystead.api.directory import ROLES
from keystead.api.people import people
from keystead.arn import account_in
from keystead.cli.analyze_key import given
from keystead.cli.deployment import opened, passphrase_option, the_seal
from keystead.cli.findings import findings_option, policy_file, read, report
from keystead.cli.output import Failed
from keystead.keys.key import CUSTOMER
from keystead.policy.compiled import compile_policy
from keystead.policy.document import parse
from keystead.services.kms.guard import analyzed
from keystead.services.kms.tables import KEYS


class _Map(msgspec.Struct, frozen=True):
    """Keys, people and roles of an account."""

    keys: tuple[Key, ...]
    people: tuple[Standing, ...]
    roles: tuple[AssumableRole, ...]


@click.command("blast-radius")
@click.argument("principal")
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="KEYSTEAD_DATA_DIR",
    help="A deployment: all keys, people and roles of the principal's account.",
)
@passphrase_option
@click.option(
    "--account-details", type=policy_file, help="As `aws iam get-account-authorization-details` prints them."
)
@click.option("--policy", type=policy_file, help="A key's policy, beside --account-details.")
@click.option("--key-arn", help="That key's ARN.")
@click.option("--grants", type=policy_file, help="Its grants, as `aws kms list-grants` prints them.")
@findings_option
def blast_radius(*, principal: str, output: str, **options: Any) -> None:
    """What does somebody reach who has the credentials of PRINCIPAL, the ARN of a user or role?

    The keys and operations of the principal itself, and of every role that it can take on, one after the other. With
    kms:PutKeyPolicy or kms:CreateGrant every use of a key is one step away. Each line has been confirmed by the evaluator of
    requests. Exit status 0: it is told, not judged.
    """
    there = _map(principal, options)
    start = next(
        (one for one in there.people if principal in {one.principal.arn, one.principal.role_arn}), None
    )
    if start is None:
        raise Failed(f"there is no {principal}")
    found = [finding for one in reached(start, there.roles) for finding in _told(one, there.keys)]
    report("blast-radius", found, output, {}, f"{principal} reaches no key.")


def _map(principal: str, options: dict[str, Any]) -> _Map:
    if options["data_dir"] is not None:
        return _of_deployment(principal, options["data_dir"], options["passphrase_file"])
    if any(options[name] is None for name in ("account_details", "policy", "key_arn")):
        raise click.UsageError("give --data-dir DIR, or --account-details, --policy and --key-arn")
    it = given({**options, "scps": (), "rcps": ()})
    return _Map((it.key,), it.standings, tuple(_roles(it.standings, _trusts(options["account_details"]))))


def _of_deployment(principal: str, directory: Path, passphrase_file: Path | None) -> _Map:
    account = account_in(principal)
    with opened(directory, the_seal(directory, passphrase_file)) as store:
        tx = store.transaction()
        everybody = tuple(people(tx, account))
        keys = tuple(analyzed(tx, key) for _, key in tx.scan(KEYS, f"{account}/") if key.manager == CUSTOMER)
        trusts = {
            role.arn: compile_policy(parse(role.trust), "trust policy", dict(role.trusted))
            for _, role in tx.scan(ROLES, f"{account}/")
        }
    return _Map(keys, everybody, tuple(_roles(everybody, trusts)))


def _trusts(details: Path) -> dict[str, Any]:
    found = json.loads(read(details)).get("RoleDetailList", ())
    return {
        role["Arn"]: compile_policy(parse(role["AssumeRolePolicyDocument"]), "trust policy") for role in found
    }


def _roles(everybody: Sequence[Standing], trusts: dict[str, Any]) -> Iterator[AssumableRole]:
    for one in everybody:
        arn = one.principal.role_arn
        if arn in trusts:
            yield AssumableRole(arn, trusts[arn], one)


def _told(one: Reached, keys: Sequence[Key]) -> Iterator[Finding]:
    """What is reached by one of those whom the principal is or can become."""
    me = one.standing.principal
    name = me.role_arn or me.arn
    through = f" as {' and then '.join(one.path)}" if one.path else ""
    for key in keys:
        operations: set[str] = set()
        witness = None
        for way in who_can(key, [one.standing]):
            operations |= set(way.operations)
            witness = witness or way.witnesses[0]
        if witness is None:
            continue
        listed = "every operation" if len(operations) == len(ASKED) else ", ".join(sorted(operations))
        steps = tuple(step for step in STEPS if step in operations and not operations >= USE)
        more = f"; every use of it is one step away, by {' or '.join(steps)}" if steps else ""
        yield Finding(
            rule="reached-by-role" if one.path else "reached",
            level="warning" if one.path else "note",
            message=f"{key.arn}{through}: {listed}{more}",
            witness=case(witness),
            details={
                "principal": name,
                "path": list(one.path),
                "key": key.arn,
                "operations": sorted(operations),
                "steps": list(steps),
                "assuming": [case(request) for request in one.witnesses],
            },
        )
    giving = gives_itself(one.standing)
    if giving:
        yield Finding(
            rule="gives-itself-more",
            level="warning",
            message=f"{name} may {', '.join(giving)}: it could give itself more than is told here",
            details={"principal": name, "path": list(one.path), "operations": list(giving)},
        )
