"""What requests name is in a server's memory before they come."""

import pytest
from processes import wait_until

from keystead.errors import SettingsError
from keystead.settings import load
from keystead.testing import RunningServer


def test_a_key_is_found_by_its_alias_without_its_records_being_read_after_a_start(tmp_path, monkeypatch):
    with RunningServer(tmp_path) as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/ahead", TargetKeyId=key)
    with RunningServer(tmp_path) as server:
        wait_until(lambda: server.store.rows.shelves.starts)
        read, backend = [], server.store.backend
        for method in ("get", "get_each", "scan"):
            asked = getattr(backend, method)
            monkeypatch.setattr(
                backend, method, lambda *given, asked=asked: read.append(given) or asked(*given)
            )
        kms = server.client("kms")
        assert kms.describe_key(KeyId="alias/ahead")["KeyMetadata"]["KeyId"] == key
        assert [each["AliasName"] for each in kms.list_aliases(KeyId=key)["Aliases"]] == ["alias/ahead"]
        assert not [
            given for given in read if b"rkey" in repr(given).encode() or b"alias" in repr(given).encode()
        ]


def test_less_than_nothing_cannot_be_read_ahead():
    with pytest.raises(SettingsError, match="read_ahead must be 0 or more"):
        load({"read_ahead": -1}, {})
