"""`keystead analyze posture`: what scanners ask of the keys of a running server, answered by what the policies mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec

from keystead.analysis.posture import Judged, judge_identity, judge_key, told
from keystead.analysis.posture.identity import PolicyPlace
from keystead.analysis.report import Finding
from keystead.cli import aws
from keystead.cli.findings import findings_option, report
from keystead.cli.gather import Clients, account_details, account_facts, keys
from keystead.cli.gather_objects import held_under
from keystead.cli.server_clock import now_of

_HOLDERS: Final = (
    ("UserDetailList", "UserPolicyList"),
    ("GroupDetailList", "GroupPolicyList"),
    ("RoleDetailList", "RolePolicyList"),
)


@click.command()
@click.argument("key_ids", metavar="[KEY]...", nargs=-1)
@click.option("--region", help="Region of the server; by default that of the environment.")
@click.option("--objects", "most_objects", default=1_000, show_default=True, type=click.IntRange(min=0),
              help="So many versions of objects of each bucket are looked at.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Tell of what passes, too.")
@findings_option
def posture(
    *, key_ids: tuple[str, ...], region: str | None, most_objects: int, everything: bool, output: str
) -> None:
    """What scanners ask of keys and identity policies, answered by what they mean, from a running server.

    Each answer says what Security Hub, Config, CIS, Prowler, Checkov and others will say; where one of them will say
    the opposite, that is told, too, and why. Exit status 1: an error, such as a public key.
    """
    clients = Clients(region)
    with aws.told():
        now = now_of(clients)
        details = account_details(clients)
        account = account_facts(clients, details, now)
        held = held_under(clients, account.account, most_objects)
        facts = [msgspec.structs.replace(key, held=held.get(key.arn, ())) for key in keys(clients, key_ids)]
        analyzers = None if key_ids else _analyzers(clients)
    judged = [one for key in facts for one in judge_key(key, now, _name(key.arn, key.aliases))]
    judged += [] if key_ids else [*_identities(details or {}, account.account), *_enabled(analyzers)]
    found = [*told(judged, everything=everything)]
    found += [Finding(rule="not-seen", level="warning", message=note) for note in clients.notes]
    report("posture", found, output, {}, f"{len(judged)} checks pass, and no scanner will say the opposite.")


def _name(arn: str, aliases: tuple[str, ...]) -> str:
    return f"{aliases[0]} ({arn})" if aliases else arn


def _identities(details: Mapping[str, Any], account: str) -> Iterator[Judged]:
    """Every inline policy, and every managed policy of the account's own."""
    for name, text, place in _policies(details):
        yield judge_identity(text, name, place, account)


def _policies(details: Mapping[str, Any]) -> Iterator[tuple[str, str, PolicyPlace]]:
    for member, inline in _HOLDERS:
        for holder in details.get(member, ()):
            for policy in holder.get(inline, ()):
                text = msgspec.json.encode(policy["PolicyDocument"]).decode()
                yield f"{holder['Arn']} policy {policy['PolicyName']}", text, "inline"
    for policy in details.get("Policies", ()):
        if ":aws:policy/" not in policy["Arn"]:
            for version in policy["PolicyVersionList"]:
                if version["IsDefaultVersion"]:
                    yield policy["Arn"], msgspec.json.encode(version["Document"]).decode(), "managed"


def _analyzers(clients: Clients) -> list[dict[str, Any]] | None:
    """The analyzers of the Region; None where they cannot be seen or the server keeps none."""
    absent = frozenset({"UnknownOperationException", "InvalidAction", "404", "501", "NotImplemented"})
    found: list[dict[str, Any]] | None = clients.unless_hidden(
        "which analyzers there are",
        lambda: [*clients.pages("accessanalyzer", "list_analyzers", "analyzers")],
        None,
        absent,
    )
    return found


def _enabled(analyzers: list[dict[str, Any]] | None) -> Iterator[Judged]:
    if analyzers is None:
        return
    active = [one["name"] for one in analyzers if one["status"] == "ACTIVE"]
    yield Judged(
        check="analyzer-enabled",
        subject="IAM Access Analyzer",
        status="pass" if active else "fail",
        level="note",
        reason=f"{active[0]} watches" if active else "no analyzer watches this Region",
        said={"Prowler accessanalyzer_enabled": "PASS" if active else "FAIL"},
    )
