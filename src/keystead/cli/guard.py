"""`keystead guard`: what changes of key policies, grants and people's policies are guarded against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from keystead import arn
from keystead.analysis.questions.change import KINDS
from keystead.api.accounts import ACCOUNTS
from keystead.api.dev_clock import clock_of
from keystead.api.guards import GUARDS, MODES, Guard, GuardRule
from keystead.cli.deployment import data_dir_option, opened, passphrase_option, the_seal
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import Failed, output_option, show
from keystead.entropy import SystemEntropy
from keystead.services.cloudtrail.retention import record
from keystead.storage import Store, Transaction

_PROVIDERS: Final = ("oidc-provider/", "saml-provider/")
_ACCOUNT_DIGITS: Final = 12


_account = click.option(
    "--account-id", envvar="KEYSTEAD_ACCOUNT_ID", help="The account; needed if there are several."
)


@click.group()
def guard() -> None:
    """Guard an account's keys against new access from outside, public access, mixed duties and lock-out.

    All subcommands also work beside a running server, whose next request counts with what is set here. Each change
    leaves an event.
    """


@guard.command(name="set")
@data_dir_option
@passphrase_option
@_account
@setting_options("region")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    required=True,
    help="audit: the event tells; confirm: refused unless overridden; refuse: refused.",
)
@click.option(
    "--for",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="What to guard against; may be repeated. Everything, if none is given.",
)
@click.option(
    "--tag", metavar="KEY=VALUE", help="Only keys with this tag, which then are under no other rule."
)
def set_(
    *,
    data_dir: Path,
    passphrase_file: Path | None,
    mode: Any,
    kinds: tuple[Any, ...],
    tag: str | None,
    account_id: str | None,
    **given: Any,
) -> None:
    """Set the mode for some kinds of violations, for all keys of the account or those with a tag."""
    name, equals, value = (tag or "").partition("=")
    if tag is not None and not (name and equals):
        raise click.UsageError("--tag is KEY=VALUE")

    def changed(there: Guard) -> Guard:
        known = next((one for one in there.rules if (one.tag, one.value) == (name, value)), GuardRule())
        modes = {**known.modes, **dict.fromkeys(kinds or KINDS, mode)}
        return there.with_rule(GuardRule(tag=name, value=value, modes=modes))

    _change(data_dir, passphrase_file, account_id, given, changed)


@guard.command()
@data_dir_option
@passphrase_option
@_account
@setting_options("region")
@click.option("--account", "accounts", multiple=True, help="An account that is not outside; may be repeated.")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    help="The ARN of a provider of identities whose people are not outside; may be repeated.",
)
@click.option(
    "--organization/--no-organization", default=None, help="The account's organization is not outside."
)
@click.option("--clear", is_flag=True, help="Trust no other account any more.")
def trust(
    *,
    data_dir: Path,
    passphrase_file: Path | None,
    accounts: tuple[str, ...],
    providers: tuple[str, ...],
    organization: bool | None,
    clear: bool,
    account_id: str | None,
    **given: Any,
) -> None:
    """Say which other accounts, and whose identities, are not outside."""
    for provider in providers:
        if (found := arn.split(provider)) is None or not found.resource.startswith(_PROVIDERS):
            raise click.UsageError(f"{provider} is not the ARN of a provider of identities")
    for account in accounts:
        if len(account) != _ACCOUNT_DIGITS or not (account.isascii() and account.isdigit()):
            raise click.UsageError(f"{account} is not an account's 12 digits")
    if not accounts and not providers and organization is None and not clear:
        raise click.UsageError("say whom: --account, --provider, --organization or --clear")

    def changed(there: Guard) -> Guard:
        kept = () if clear else there.trusted
        return msgspec.structs.replace(
            there,
            trusted=tuple(sorted({*kept, *accounts, *providers})),
            trust_organization=there.trust_organization if organization is None else organization,
        )

    _change(data_dir, passphrase_file, account_id, given, changed)


@guard.command()
@data_dir_option
@passphrase_option
@_account
@setting_options("region")
@click.option("--tag", metavar="KEY=VALUE", help="Only the rule for keys with this tag.")
def remove(
    *, data_dir: Path, passphrase_file: Path | None, tag: str | None, account_id: str | None, **given: Any
) -> None:
    """Take a tag's rule away, or without --tag the whole guard of the account."""
    name, _, value = (tag or "").partition("=")

    def changed(there: Guard) -> Guard:
        left = tuple(one for one in there.rules if (one.tag, one.value) != (name, value))
        if tag is not None and len(left) == len(there.rules):
            raise Failed(f"there is no rule for the tag {tag}")
        return msgspec.structs.replace(there, rules=left) if tag is not None else Guard()

    _change(data_dir, passphrase_file, account_id, given, changed)


def _change(
    directory: Path,
    passphrase_file: Path | None,
    account_id: str | None,
    given: dict[str, Any],
    changed: Callable[[Guard], Guard],
) -> None:
    with opened(directory, the_seal(directory, passphrase_file)) as store:
        account = _account_of(store, account_id)
        there = store.transaction().get(GUARDS, account) or Guard()
        new = changed(there)

        def put(tx: Transaction) -> None:
            if new == Guard():
                tx.delete(GUARDS, account)
            else:
                tx.put(GUARDS, account, new)

        details = {"account": account, "before": _told(there), "after": _told(new)}
        settings = settings_from({**given, "account_id": account})
        record(store, settings, "SetGuard", details, clock_of(directory).now(), SystemEntropy(), put)
    _print(account, new)


@guard.command(name="show")
@data_dir_option
@passphrase_option
@_account
@output_option
def show_(*, data_dir: Path, passphrase_file: Path | None, output: str, account_id: str | None) -> None:
    """Show the account's guard."""
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        account = _account_of(store, account_id)
        found = store.transaction().get(GUARDS, account) or Guard()
    if output == "json":
        show({"account_id": account, **_told(found)})
        return
    _print(account, found)


def _account_of(store: Store, given: str | None) -> str:
    """The account that is meant: the one given, or the only one there is."""
    there = [account for account, _ in store.transaction().scan(ACCOUNTS, "")]
    if given is None and len(there) == 1:
        return there[0]
    if given is None:
        raise click.UsageError(f"--account-id says which account: {', '.join(there)}")
    if given not in there:
        raise Failed(f"there is no account {given}")
    return given


def _told(guard: Guard) -> dict[str, Any]:
    return {
        "rules": [
            {"tag": f"{rule.tag}={rule.value}" if rule.tag else None, "modes": dict(rule.modes)}
            for rule in guard.rules
        ],
        "trusted": list(guard.trusted),
        "trust_organization": guard.trust_organization,
    }


def _print(account: str, guard: Guard) -> None:
    for rule in guard.rules:
        keys = f"keys tagged {rule.tag}={rule.value}" if rule.tag else "all keys"
        modes = ", ".join(f"{kind}: {rule.modes.get(kind, 'off')}" for kind in KINDS)
        print(f"account {account}, {keys}: {modes}")
    if not guard.rules:
        print(f"account {account}: no guard")
    if guard.trusted or guard.trust_organization:
        trusted = [*guard.trusted, *(["its organization"] if guard.trust_organization else [])]
        print(f"not outside: {', '.join(trusted)}")
