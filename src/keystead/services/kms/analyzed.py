"""Keys as an analyzer sees them. Those that AWS manages have policies that nobody can change, and are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from keystead.api.analyzed import KEY, Analyzed, Type
from keystead.api.authorize import as_grant
from keystead.keys import Key
from keystead.keys.grant import Grant
from keystead.keys.key import CUSTOMER
from keystead.services.kms.tables import GRANTS, KEYS
from keystead.storage import Transaction


class AnalyzedKeys:
    """The keys that accounts manage themselves."""

    type: Type = KEY

    def all(self, tx: Transaction, account: str, region: str) -> Iterator[Analyzed]:
        prefix = f"{account}/{region}/"
        listed = groupby(tx.scan(GRANTS, prefix), lambda row: row[0].rpartition("/")[0])
        grants = {place: [grant for _, grant in rows] for place, rows in listed}
        for place, key in tx.scan(KEYS, prefix):
            if key.manager == CUSTOMER:
                yield _analyzed(key, grants.get(place, ()))

    def one(self, tx: Transaction, account: str, region: str, arn: str) -> Analyzed | None:
        key = tx.get(KEYS, f"{account}/{region}/{arn.rpartition('/')[2]}")
        if key is None or key.arn != arn or key.manager != CUSTOMER:
            return None
        return _analyzed(key, [grant for _, grant in tx.scan(GRANTS, f"{key.place}/")])


def _analyzed(key: Key, grants: Iterable[Grant]) -> Analyzed:
    return Analyzed(
        arn=key.arn,
        type=KEY,
        account=key.account,
        policy=key.policy,
        bound=key.principals,
        grants=tuple(map(as_grant, grants)),
    )
