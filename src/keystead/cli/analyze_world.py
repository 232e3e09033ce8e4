"""What questions about recorded use are asked of: a key, its people, and events; of a deployment, or from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from keystead import errors
from keystead.analysis.account import ASSUMED, entries_of, named
from keystead.analysis.effective import Key, Standing
from keystead.api.condition_keys import described
from keystead.api.people import people
from keystead.audit.skim import events as journaled
from keystead.cli.analyze_key import given
from keystead.cli.deployment import opened, passphrase_option, the_seal, workers
from keystead.cli.events import moment
from keystead.cli.findings import policy_file, read
from keystead.cli.output import Failed
from keystead.keys import Key as StoredKey
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.policyset import Policies
from keystead.policy.request import Principal, ResourceDescription
from keystead.services.kms.guard import analyzed
from keystead.services.kms.tables import KEYS
from keystead.storage import Transaction

F = TypeVar("F", bound=Callable[..., Any])


PLACE_HELP: Final = (
    "Instead of a key policy: the ARN of a managed policy, user, role or group (with --inline), the id of an organization's "
    "policy (p-...), or scp:NODE or rcp:NODE for one that is to be attached to a root, unit or account."
)


def around(command: F) -> F:
    """A decorator that adds the options by which a key, its people and events are found."""
    for decorate in reversed((
        click.option("--key-arn", help="The key's ARN."),
        click.option("--as", "place", metavar="PLACE", help=PLACE_HELP),
        click.option("--inline", default="", help="With --as USER, ROLE or GROUP: the name of its inline policy."),
        click.option(
            "--data-dir",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            envvar="KEYSTEAD_DATA_DIR",
            help="A deployment: its key, people, grants and journals.",
        ),
        passphrase_option,
        click.option("--events", type=policy_file, help="Events as `keystead audit export` prints them."),
        click.option("--current", type=policy_file, help="The key's present policy."),
        click.option("--grants", type=policy_file, help="As `aws kms list-grants` prints them."),
        click.option(
            "--account-details", type=policy_file, help="As `aws iam get-account-authorization-details` prints them."
        ),
        click.option("--scp", "scps", type=policy_file, multiple=True, help="An SCP; each a level."),
        click.option("--rcp", "rcps", type=policy_file, multiple=True, help="An RCP; each a level."),
        click.option("--from", "since", type=moment, help="Not before this time (UTC)."),
        click.option("--to", "until", type=moment, help="Not after this time (UTC)."),
    )):  # fmt: skip
        command = decorate(command)
    return command


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One key with what stands around it.

    Attributes:
        key: as it is now; its policy is empty if `current` is not known.
        standings: the account's people, and whom else the policy and grants name.
        whole: whether all people of the account are among them; else what their policies say is not known.
        sources: where the events are.
    """

    key: Key
    name: str
    text: str
    current: bool
    standings: tuple[Standing, ...]
    whole: bool
    description: ResourceDescription
    sources: tuple[Callable[[], Iterator[bytes]], ...]
    since: float | None = None
    until: float | None = None

    def events(self) -> Iterator[Iterable[bytes]]:
        """The events, one source after the other."""
        for source in self.sources:
            yield within(source(), self.since, self.until)

    def compiled(self, name: str, text: str) -> CompiledPolicy:
        """A key policy, whose principals are those of now.

        Raises:
            errors.OperatorError: it is none.
        """
        try:
            return compile_key_policy(text, self._bound())
        except errors.MalformedPolicyDocument as error:
            raise errors.OperatorError(f"{name}: {error.message}") from None

    def _bound(self) -> dict[str, str]:
        known = (one.principal for one in self.standings if one.principal.unique_id)
        return {**self.key.policy.bound, **{one.role_arn or one.arn: one.unique_id for one in known}}

    def known(self, caller: Principal) -> Standing | None:
        """The caller with what is known of it now; None if there is no such caller any more."""
        if caller.type == "service":
            return Standing(principal=caller)
        elsewhere = Standing(principal=caller, policies=Policies(identity=(ASSUMED,), session=(ASSUMED,)))
        if caller.account != self.key.account:
            return elsewhere
        for one in self.standings:
            if _same(one.principal, caller):
                return joined(one, caller)
        return None if self.whole else elsewhere


def within(events: Iterator[bytes], since: float | None, until: float | None) -> Iterator[bytes]:
    """The events of a time, in epoch seconds; None is open."""
    if since is None and until is None:
        return events
    first = _stamp(since) if since is not None else ""
    last = _stamp(until) if until is not None else "9"
    return (event for event in events if first <= _read_time(event).eventTime <= last)


def joined(known: Standing, caller: Principal) -> Standing:
    """The caller with the tags and policies of its user or role; what its session was limited to, it kept to."""
    federated = caller.type == "federatedUser"
    now = known.principal
    return Standing(
        principal=msgspec.structs.replace(
            caller,
            tags={} if federated else now.tags,
            org_id=now.org_id,
            org_path=now.org_path,
            management_account=now.management_account,
            service_linked_role=now.service_linked_role,
        ),
        policies=msgspec.structs.replace(known.policies, session=(ASSUMED,) if federated else ()),
    )


class _Time(msgspec.Struct, gc=False):
    eventTime: str = ""  # noqa: N815  CloudTrail's name


_read_time = msgspec.json.Decoder(_Time).decode


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _same(known: Principal, caller: Principal) -> bool:
    """Whether the standing is the caller's: of the user, the role of the session, or the issuer."""
    if caller.type == "federatedUser":
        return known.arn == caller.issuer_arn
    if known.unique_id and caller.unique_id:
        return known.unique_id == caller.unique_id
    return bool(caller.role_arn and known.role_arn == caller.role_arn) or known.arn == caller.arn


def world_of(options: dict[str, Any]) -> World:
    """The world that the options name.

    Raises:
        errors.OperatorError: something cannot be read.
        Failed: there is no such key.
    """
    directory, events = options["data_dir"], options["events"]
    if options["key_arn"] is None:
        raise click.UsageError("give --key-arn ARN of a key, or --as PLACE of another policy")
    if (directory is None) == (events is None):
        raise click.UsageError("give --data-dir DIR, or --events FILE with --current and what else is known")
    return _from_files(options) if directory is None else _from_deployment(options, directory)


def _from_files(options: dict[str, Any]) -> World:
    current = options["current"]
    policy = current if current is not None else options.get("policy")
    it = given({**options, "policy": policy, "output": "text"})
    path: Path = options["events"]
    return World(
        key=it.key,
        name=str(current or ""),
        text=read(current) if current is not None else "",
        current=current is not None,
        standings=it.standings,
        whole=options["account_details"] is not None,
        description=ResourceDescription(trust="keyPolicy"),
        sources=(lambda: _lines(path),),
        since=options["since"],
        until=options["until"],
    )


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from (line for line in file if line.strip())


def _from_deployment(options: dict[str, Any], directory: Path) -> World:
    if not workers(directory):
        raise Failed(f"{directory} holds no journal")
    with opened(directory, the_seal(directory, options["passphrase_file"])) as store:
        tx = store.transaction()
        stored = _stored(tx, options["key_arn"])
        key = analyzed(tx, stored)
        standings = people(tx, stored.account)
    known = {one.principal.role_arn or one.principal.arn for one in standings}
    outside = [one for entry in sorted(entries_of(key) - known) for one in named(entry, key.account)]
    root = standings[0].principal
    return World(
        key=key,
        name="the key policy",
        text=stored.policy,
        current=True,
        standings=(*standings, *(one for one in outside if one.principal.account != key.account)),
        whole=True,
        description=described(stored, root.org_id, root.org_path, management_account=root.management_account),
        sources=tuple(partial(journaled, directory, worker) for worker in workers(directory)),
        since=options["since"],
        until=options["until"],
    )


def _stored(tx: Transaction, key_arn: str) -> StoredKey:
    parts = key_arn.split(":", 5)
    whole = len(parts) == 6 and parts[5].startswith("key/")  # noqa: PLR2004 - an ARN's parts
    found = tx.get(KEYS, f"{parts[4]}/{parts[3]}/{parts[5].removeprefix('key/')}") if whole else None
    if found is None or found.arn != key_arn:
        raise Failed(f"there is no key {key_arn}")
    return found
