"""Keys as an analyzer sees them. Those that AWS manages have policies that nobody can change, and are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import msgspec

from keystead.api.analyzed import KEY, Analyzed, Type
from keystead.api.authorize import as_grant
from keystead.api.condition_keys import described
from keystead.api.guardrails import Place, place_of
from keystead.api.reading import Reading
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.keys.key import CUSTOMER
from keystead.policy import Facts, Principal
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.policy.request import Value
from keystead.services.kms.tables import ALIASES, GRANTS, KEYS
from keystead.storage import Transaction

_TOLD: Final = (
    "aws:resourceorgid", "aws:resourceorgpaths", "kms:customermasterkeyspec", "kms:customermasterkeyusage",
    "kms:keyorigin", "kms:keyspec", "kms:keyusage", "kms:multiregion", "kms:multiregionkeytype",
    "kms:resourcealiases",
)  # fmt: skip
"""The condition keys whose values are the key's, whoever asks for what."""


class AnalyzedKeys:
    """The keys that accounts manage themselves."""

    type: Type = KEY

    def all(self, tx: Transaction, account: str, region: str) -> Iterator[Analyzed]:
        prefix = f"{account}/{region}/"
        listed = groupby(tx.scan(GRANTS, prefix), lambda row: row[0].rpartition("/")[0])
        grants = {place: [grant for _, grant in rows] for place, rows in listed}
        aliases: dict[str, list[str]] = {}
        for _, alias in tx.scan(ALIASES, prefix):
            aliases.setdefault(alias.target, []).append(alias.name)
        stands = place_of(Reading(tx), account)
        for place, key in tx.scan(KEYS, prefix):
            if key.manager == CUSTOMER:
                yield _analyzed(key, grants.get(place, ()), aliases.get(key.id, ()), stands)

    def one(self, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:
        key = tx.get(KEYS, f"{account}/{region}/{arn.rpartition('/')[2]}")
        if key is None or key.arn != arn or key.manager != CUSTOMER:
            return None
        found = tx.scan_index(ALIASES, "target", f"{key.place}/")
        return _analyzed(
            key,
            [grant for _, grant in tx.scan(GRANTS, f"{key.place}/")],
            [place.split("/", 2)[2] for _, place in found],
            place_of(Reading(tx), account),
        )


def _analyzed(key: Key, grants: Iterable[Grant], aliases: Iterable[str], stands: Place) -> Analyzed:
    return Analyzed(
        arn=key.arn,
        type=KEY,
        account=key.account,
        policy=key.policy,
        bound=key.principals,
        grants=tuple(map(as_grant, grants)),
        tags=tuple(sorted(key.tags.items())),
        described=tuple(_described(key, tuple(sorted(aliases)), stands)),
    )


def _described(key: Key, aliases: tuple[str, ...], stands: Place) -> Iterator[tuple[str, Value | None]]:
    """What condition keys tell of the key."""
    facts = Facts(
        principal=Principal(type="anonymous"),
        action="kms:DescribeKey",
        resource=key.arn,
        account=key.account,
        description=msgspec.structs.replace(described(key, stands.org_id, stands.org_path), aliases=aliases),
    )
    for name in _TOLD:
        read = CONDITION_KEYS[name].value
        yield name, None if read is None else read(facts)
