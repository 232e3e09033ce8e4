"""A running server, a client that signs by itself, and what must be the same after every refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from signed_http import Client, get

from keystead.api.accounts import ACCOUNTS, CREDENTIALS
from keystead.keyring.keyring import MATERIALS
from keystead.services.kms.key_stores import KEY_STORES
from keystead.services.kms.tables import ALIASES, GRANTS, KEYS

TABLES = (KEYS, ALIASES, GRANTS, KEY_STORES, MATERIALS, ACCOUNTS, CREDENTIALS)


def stored(server: Any) -> dict[str, list[Any]]:
    """Everything that the server keeps for its users."""
    tx = server.app.store.transaction()
    return {table.name: tx.scan(table, "") for table in TABLES}


@pytest.fixture
def raw(server) -> Client:
    """Root of the first account, signing with the host's clock."""
    return Client(server.port, server.access_key_id, server.secret_access_key)


@pytest.fixture(scope="module")
def key_id(server) -> str:
    client = Client(server.port, server.access_key_id, server.secret_access_key)
    return client.must("CreateKey", {"Description": "there before"})["KeyMetadata"]["KeyId"]


@pytest.fixture
def unchanged(server, key_id) -> Iterator[None]:
    """The test leaves everything as it was, and the server well."""
    before = stored(server)
    yield
    assert stored(server) == before
    assert get(server.port, "/readyz").status == 200
