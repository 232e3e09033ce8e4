"""What the KMS service stores, and under which names.

A key's rows all start with its place, `account/region/key id`, so that one scan finds them.
"""

from __future__ import annotations

from keystead.keys import Key
from keystead.keys.alias import Alias
from keystead.keys.grant import Grant
from keystead.storage import Table, join


def key_place(key: Key) -> str:
    """The place of a key's own record."""
    return key.place


def _alias_target(where: str, alias: Alias) -> list[str]:
    account, region, name = where.split("/", 2)
    return [join(account, region, alias.target, name)]


def _grant_retirers(_where: str, grant: Grant) -> list[str]:
    return [join(grant.region, who, grant.id) for who in grant.retirers]


DUE_ROTATION = "rotate-key"
"""The kind of the due rows of automatic rotations; their subject is a key's place."""

KEYS: Table[Key] = Table("key", Key, together=True)
"""account/region/key id"""

ALIASES: Table[Alias] = Table("alias", Alias, indexes={"target": _alias_target}, together=True)
"""account/region/alias name; index `target`: account/region/key id/alias name"""

GRANTS: Table[Grant] = Table("grant", Grant, indexes={"retirer": _grant_retirers})
"""account/region/key id/grant id; index `retirer`: region/principal/grant id"""


def retirer_prefix(region: str, principal: str) -> str:
    """The prefix of index `retirer` for one retiring principal in one Region."""
    return join(region, principal, "")
