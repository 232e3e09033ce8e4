"""Advice from where it can be had: from a data directory, from a server, or drawn from what a server's APIs show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.analysis.advisor import Advised, Wishes, advised
from keystead.api.accounts import ACCOUNTS
from keystead.api.dev_clock import clock_of
from keystead.api.usage import UsageTracker
from keystead.app.server import HOLDINGS
from keystead.cli import aws
from keystead.cli.deployment import opened, the_seal
from keystead.cli.events import current_index
from keystead.cli.gather import Clients, account_details, account_facts, keys, recorded, with_uses
from keystead.cli.gather_objects import held_under
from keystead.cli.output import Failed
from keystead.cli.server_clock import now_of
from keystead.keys import Key
from keystead.services.keystead.facts import Deployment, facts_of, key_named
from keystead.services.kms.service import KeyRelations
from keystead.storage import Store
from keystead.wire.own import MOST_LOOKED_AT

_TARGET: Final = "Keystead.GetAdvice"
_NOT_SO: Final = frozenset({"UnknownOperationException", "AccessDeniedException"})
_TIMEOUTS: Final = (10, 300)
"""Seconds to connect, and to wait for an answer."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What advice is asked for: the keys by whatever names them (all if none), and how much is to be looked at."""

    keys: tuple[str, ...]
    wishes: Wishes
    events: int
    versions: int


# --------------------------------------------------------------------- a data directory


def from_directory(
    directory: Path, passphrase: Path | None, account: str | None, region: str | None, asked: Asked
) -> Advised:
    """The advice by all that is stored and recorded in a deployment, also beside a running server.

    Raises:
        Failed: there is no such account or key.
        errors.OperatorError: the deployment cannot be read.
    """
    index = current_index(directory)
    with opened(directory, the_seal(directory, passphrase)) as store:
        where = Deployment(
            store.transaction(), KeyRelations(store), HOLDINGS, UsageTracker(), index, asked.events, asked.versions,
            whole=True,
        )  # fmt: skip
        whose = account or _only_account(store)
        place = region or os.environ.get("AWS_REGION") or "us-east-1"
        try:
            found = [key_named(where, whose, place, name) for name in asked.keys]
        except errors.ApiError as error:
            raise Failed(f"{error.code}: {error.message}") from None
        facts = facts_of(where, whose, place, found or _all(where, whose, place), clock_of(directory).now())
        return advised(facts.keys, facts.account, asked.wishes, facts.notes)


def _only_account(store: Store) -> str:
    known = [account for account, _ in store.transaction().scan(ACCOUNTS, "", limit=2)]
    if len(known) != 1:
        raise Failed("the deployment has several accounts: say which (--account)")
    return known[0]


def _all(where: Deployment, account: str, region: str) -> list[Key]:
    return where.relations.page(where.tx, account, region, "", 1 << 31)


# ------------------------------------------------------------------------------ a server


def from_server(clients: Clients, asked: Asked) -> Advised:
    """The advice that the server gives; where it gives none, what can be drawn from its APIs, and a note of that.

    Raises:
        Failed: the server answers with another error, or not at all.
    """
    with aws.told():
        endpoint = clients["kms"].meta.endpoint_url
        told = None
        if not endpoint.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            try:
                told = _joined(
                    [
                        page
                        for name in asked.keys or (None,)
                        for page in _pages(clients, endpoint, name, asked)
                    ]
                )
            except _RefusedError as refusal:
                if refusal.code not in _NOT_SO:
                    raise Failed(f"{refusal.code}: {refusal}") from None
                clients.notes.append(
                    f"the server's own advice (keystead:GetAdvice) is not to be had: {refusal.code}; this is drawn from "
                    "what its APIs show"
                )
        return told or _drawn(clients, asked)


class _RefusedError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Answer(msgspec.Struct, rename="pascal"):
    advice: Advised
    next_marker: str | None = None


class _Error(msgspec.Struct):
    kind: str = msgspec.field(default="", name="__type")
    message: str = ""


def _pages(clients: Clients, endpoint: str, key: str | None, asked: Asked) -> Iterator[Advised]:
    wishes = asked.wishes
    wanted: dict[str, Any] = {
        "KeyId": key,
        "Needs": sorted(wishes.needs),
        "Admin": wishes.admin or None,
        "Users": wishes.users,
        "Days": wishes.days,
        "MaxEvents": min(asked.events, MOST_LOOKED_AT),
        "MaxVersions": min(asked.versions, MOST_LOOKED_AT),
    }
    marker: str | None = None
    while True:
        body = {name: value for name, value in {**wanted, "Marker": marker}.items() if value is not None}
        answer = msgspec.json.decode(_sent(clients, endpoint, msgspec.json.encode(body)), type=_Answer)
        yield answer.advice
        marker = answer.next_marker
        if marker is None:
            return


def _sent(clients: Clients, endpoint: str, body: bytes) -> bytes:
    """The body of the answer.

    Raises:
        _RefusedError: it is an error.
    """
    requests, auth = import_module("botocore.awsrequest"), import_module("botocore.auth")
    headers = {"X-Amz-Target": _TARGET, "Content-Type": "application/x-amz-json-1.1"}
    request = requests.AWSRequest("POST", endpoint.rstrip("/") + "/", headers=headers, data=body)
    auth.SigV4Auth(clients.credentials(), "keystead", clients.region).add_auth(request)
    http = import_module("botocore.httpsession").URLLib3Session(
        verify=clients.authorities(), timeout=_TIMEOUTS
    )
    answer = http.send(request.prepare())
    content: bytes = answer.content
    if answer.status_code == 200:  # noqa: PLR2004  HTTP's OK
        return content
    try:
        error = msgspec.json.decode(content, type=_Error)
    except msgspec.MsgspecError:
        error = _Error(str(answer.status_code), "this is no Keystead server")
    raise _RefusedError(error.kind, error.message)


def _joined(pages: list[Advised]) -> Advised:
    return Advised(
        account=pages[0].account,
        region=pages[0].region,
        default=tuple({one.key: one for page in pages for one in page.default}.values()),
        custom=tuple({one.key: one for page in pages for one in page.custom}.values()),
        not_seen=tuple(dict.fromkeys(note for page in pages for note in page.not_seen)),
    )


def _drawn(clients: Clients, asked: Asked) -> Advised:
    """The advice by what the caller may see: other calls than GetAdvice, each allowed or refused by itself."""
    account = account_facts(clients, account_details(clients), now_of(clients))
    events = recorded(clients)
    held = held_under(clients, account.account, asked.versions)
    facts = [
        msgspec.structs.replace(with_uses(clients, key, events, asked.events), held=held.get(key.arn, ()))
        for key in keys(clients, asked.keys)
    ]
    told = advised(facts, account, asked.wishes)
    return msgspec.structs.replace(told, not_seen=tuple(clients.notes))
