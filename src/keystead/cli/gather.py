"""Asking a server for what there is to know of its keys, as a client like any other: no access that its caller lacks.

What the caller may not see is left out, and said. `advise` and `analyze posture` share this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any, Final

import msgspec

from keystead.analysis.account import grants_of, standings
from keystead.analysis.advisor import AccountFacts, KeyFacts, Rotation, Use, peopled, read_use
from keystead.cli.aws import client_of, region_of
from keystead.cli.output import Failed

_HIDDEN: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_NOT_SO: Final = frozenset({"UnsupportedOperationException", "KMSInvalidStateException", "NotFoundException"})
_EVENTS_OF_ONE_KEY: Final = "ResourceName"

Events = Callable[[str], Iterable[Mapping[str, Any]]]
"""The recorded events of a key by its ARN, newest first."""


class Clients:
    """AWS clients that find the server and its credentials where AWS's own tools find them."""

    def __init__(self, region: str | None) -> None:
        self._session = import_module("botocore.session").get_session()
        self.region = region_of(self._session, region) or "us-east-1"
        self._failures = import_module("botocore.exceptions")
        self._made: dict[str, Any] = {}
        self.notes: list[str] = []
        """What could not be seen, in words."""

    def __getitem__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = client_of(self._session, service, self.region)
        return self._made[service]

    def credentials(self) -> Any:
        """The caller's credentials, to sign with.

        Raises:
            Failed: there are none.
        """
        found = self._session.get_credentials()
        if found is None:
            raise Failed("there are no AWS credentials to sign with")
        return found.get_frozen_credentials()

    def authorities(self) -> Any:
        """The file of certificates that servers are trusted by; True for the usual ones."""
        return self._session.get_config_variable("ca_bundle") or True

    def pages(self, service: str, operation: str, member: str, **asked: Any) -> Iterator[Any]:
        """Every item that a paginated operation lists."""
        for page in self[service].get_paginator(operation).paginate(**asked):
            yield from page.get(member) or ()

    def unless_hidden(
        self, what: str, ask: Callable[[], Any], default: Any, absent: frozenset[str] = _NOT_SO
    ) -> Any:
        """What `ask` answers; `default` where there is none (`absent`), or where the caller may not see it, which is noted."""
        try:
            return ask()
        except self._failures.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in absent:
                return default
            if code in _HIDDEN or code == "403":
                self.notes.append(f"{what} cannot be seen: {code}")
                return default
            raise


# ------------------------------------------------------------------------------ account


def account_details(clients: Clients) -> dict[str, Any] | None:
    """What GetAccountAuthorizationDetails tells, None where the caller may not see it."""
    found: dict[str, Any] | None = clients.unless_hidden(
        "who is in the account", lambda: _details(clients), None
    )
    return found


def account_facts(clients: Clients, details: dict[str, Any] | None, now: float) -> AccountFacts:
    """The account that the credentials belong to, and its people as far as `details` tell of them."""
    account = clients["sts"].get_caller_identity()["Account"]
    if details is None:
        return AccountFacts(account=account, region=clients.region, now=now)
    return peopled(account, clients.region, standings(details), now)


def _details(clients: Clients) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for page in clients["iam"].get_paginator("get_account_authorization_details").paginate():
        for member in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"):
            found.setdefault(member, []).extend(page.get(member, ()))
    return found


# --------------------------------------------------------------------------------- keys


def keys(clients: Clients, wanted: Iterable[str] = ()) -> Iterator[KeyFacts]:
    """Each key of the Region, or those that are named, without what it was used for."""
    aliases: dict[str, list[str]] = {}
    for one in clients.pages("kms", "list_aliases", "Aliases"):
        aliases.setdefault(one.get("TargetKeyId", ""), []).append(one["AliasName"])
    listed = tuple(wanted) or tuple(one["KeyId"] for one in clients.pages("kms", "list_keys", "Keys"))
    seen: set[str] = set()
    for name in listed:
        metadata = clients.unless_hidden(name, partial(_metadata, clients, name), None, frozenset())
        if metadata is not None and metadata["Arn"] not in seen:
            seen.add(metadata["Arn"])
            facts = _key(clients, metadata, tuple(sorted(aliases.get(metadata["KeyId"], ()))))
            if facts is not None:
                yield facts


def _metadata(clients: Clients, name: str) -> dict[str, Any]:
    found: dict[str, Any] = clients["kms"].describe_key(KeyId=name)["KeyMetadata"]
    return found


def _key(clients: Clients, metadata: dict[str, Any], aliases: tuple[str, ...]) -> KeyFacts | None:
    kms, key, arn = clients["kms"], metadata["KeyId"], metadata["Arn"]

    def ask(what: str, call: Callable[[], Any], default: Any) -> Any:
        return clients.unless_hidden(f"{what} of {key}", call, default)

    policy = ask("the policy", lambda: kms.get_key_policy(KeyId=arn)["Policy"], None)
    if policy is None:
        return None
    grants = ask("the grants", lambda: [*clients.pages("kms", "list_grants", "Grants", KeyId=arn)], [])
    tags = ask("the tags", lambda: [*clients.pages("kms", "list_resource_tags", "Tags", KeyId=arn)], [])
    used = ask("the last use", lambda: kms.get_key_last_usage(KeyId=arn).get("KeyLastUsage") or {}, {})
    account = arn.split(":")[4]
    return KeyFacts(
        arn=arn,
        account=account,
        policy=policy,
        manager=metadata["KeyManager"],
        state=metadata["KeyState"],
        spec=metadata["KeySpec"],
        usage=metadata["KeyUsage"],
        origin=metadata["Origin"],
        multi_region=metadata.get("MultiRegion", False),
        description=metadata.get("Description", ""),
        aliases=aliases,
        tags={tag["TagKey"]: tag["TagValue"] for tag in tags},
        rotation=ask("the rotation", lambda: _rotation(kms.get_key_rotation_status(KeyId=arn)), None),
        grants=grants_of({"Grants": grants}, arn, account),
        grants_issued={one["GrantId"]: one["CreationDate"].timestamp() for one in grants},
        created=metadata["CreationDate"].timestamp(),
        deletion=metadata["DeletionDate"].timestamp() if "DeletionDate" in metadata else None,
        last_used=used["Timestamp"].timestamp() if "Timestamp" in used else None,
        last_operation=used.get("Operation", ""),
    )


def _rotation(answer: Mapping[str, Any]) -> Rotation:
    return Rotation(answer["KeyRotationEnabled"], answer.get("RotationPeriodInDays"))


# ------------------------------------------------------------------------------- events


def recorded(clients: Clients) -> Events:
    """Events by LookupEvents, as far as the caller may look them up."""

    def of(arn: str) -> Iterator[Mapping[str, Any]]:
        asked = [{"AttributeKey": _EVENTS_OF_ONE_KEY, "AttributeValue": arn}]
        for one in clients.pages("cloudtrail", "lookup_events", "Events", LookupAttributes=asked):
            yield json.loads(one["CloudTrailEvent"])

    return of


def with_uses(clients: Clients, key: KeyFacts, events: Events, most: int) -> KeyFacts:
    """The key with what it was used for, by its newest events."""

    def read() -> list[Mapping[str, Any]]:
        return list(islice(events(key.arn), most + 1))

    found = clients.unless_hidden(f"the events of {key.id}", read, [])
    uses: list[Use] = [use for use in map(read_use, found[:most]) if use is not None]
    if len(found) > most:
        clients.notes.append(f"of {key.id} the newest {most} events were looked at (--events)")
    return msgspec.structs.replace(key, uses=tuple(uses), complete=len(found) <= most)
