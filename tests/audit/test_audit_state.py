"""What anything but a recorded change does to the store is found, and named by table and record."""

import shutil
import sys

import msgspec
import pytest
from click.testing import CliRunner
from dev_process import DevServer
from evidence import findings
from load import Load
from stores import open_store

from keystead.app import TABLES
from keystead.cli.main import cli
from keystead.services.kms.tables import ALIASES, KEYS
from keystead.storage.table import Table
from keystead.testing import RunningServer


def state(data_dir):
    return [line for line in findings(data_dir) if line.startswith("state: ")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A stopped server's directory, in which a key was made, named, renamed and disabled."""
    data_dir = tmp_path_factory.mktemp("whole") / "data"
    with RunningServer(data_dir) as server:
        client = server.client()
        key = client.create_key(Description="one")["KeyMetadata"]["KeyId"]
        client.create_alias(AliasName="alias/a", TargetKeyId=key)
        client.update_key_description(KeyId=key, Description="two")
        client.disable_key(KeyId=key)
        client.create_alias(AliasName="alias/b", TargetKeyId=key)
        client.delete_alias(AliasName="alias/b")
    assert findings(data_dir) == ()
    return data_dir


@pytest.fixture
def data_dir(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "data")
    return tmp_path / "data"


def change(data_dir, operation):
    """Write to the store as whoever has the seal's key could, with no event."""
    store = open_store(data_dir)
    store.run(operation)
    store.close()


def the(tx, table):
    ((place, record),) = tx.scan(table, "")
    return place, record


def test_an_edited_record_is_named_with_the_change_that_wrote_it(data_dir):
    def edit(tx):
        place, key = the(tx, KEYS)
        tx.put(KEYS, place, msgspec.structs.replace(key, description="x"))

    change(data_dir, edit)
    (line,) = state(data_dir)
    assert line.startswith("state: key 000000000000/us-east-1/")
    assert "journal w0 (DisableKey) wrote something else; it was edited or put back outside" in line


def test_a_record_that_was_put_back_is_named(data_dir, tmp_path):
    """The version of before is as genuine as can be: only the evidence knows that it is old."""
    with RunningServer(data_dir) as server:
        old = server.store.transaction().scan(KEYS, "")[0]
        server.client().enable_key(KeyId=old[1].id)
    change(data_dir, lambda tx: tx.put(KEYS, *old))
    (line,) = state(data_dir)
    assert "journal w0 (EnableKey) wrote something else" in line


def test_a_deleted_record_is_named_by_its_table_and_the_change_that_wrote_it(data_dir):
    change(data_dir, lambda tx: tx.delete(ALIASES, the(tx, ALIASES)[0]))
    (line,) = state(data_dir)
    assert line.startswith("state: alias: the record that entry ")
    assert line.endswith("journal w0 (CreateAlias) wrote is missing; it was deleted outside")


def test_an_added_record_is_named(data_dir):
    def add(tx):
        place, alias = the(tx, ALIASES)
        tx.put(ALIASES, place.replace("alias/a", "alias/z"), alias)

    change(data_dir, add)
    (line,) = state(data_dir)
    assert line.startswith("state: alias 000000000000/us-east-1/alias/z: no change in the evidence wrote it")


def test_entries_that_cannot_be_read_accuse_no_record(data_dir):
    """The journals still tell what was written: damage to the log is no damage to the store, and hides none."""
    (bundle,) = (data_dir / "log/tile/entries/000.p").iterdir()
    bundle.write_bytes(bundle.read_bytes()[:-9])
    (line,) = findings(data_dir)
    assert line.startswith(f"log/tile/entries/000.p/{bundle.name}: a bundle ends too early: entries 0 to ")
    change(data_dir, lambda tx: tx.delete(ALIASES, the(tx, ALIASES)[0]))
    (line,) = state(data_dir)
    assert "journal w0 (CreateAlias) wrote is missing; it was deleted outside" in line


def test_a_deleted_record_that_came_back_is_named(data_dir):
    def add(tx):
        place, alias = the(tx, ALIASES)
        tx.put(ALIASES, place.replace("alias/a", "alias/b"), alias)

    change(data_dir, add)
    (line,) = state(data_dir)
    assert line.startswith("state: alias 000000000000/us-east-1/alias/b: ")
    assert "journal w0 (DeleteAlias) deleted it; it was edited or put back outside" in line


def test_a_database_that_was_put_back_is_told_with_what_it_lacks(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "old")
    with RunningServer(data_dir) as server:
        client = server.client()
        key = client.list_keys()["Keys"][0]["KeyId"]
        client.enable_key(KeyId=key)
        client.create_alias(AliasName="alias/c", TargetKeyId=key)
    for path in data_dir.glob("store.db*"):
        path.unlink()
    for path in (tmp_path / "old").glob("store.db*"):
        shutil.copy(path, data_dir)
    found = findings(data_dir)
    assert found[0].startswith("the database was put back: it is at commit ")
    assert found[1].startswith("state: the store is at commit ")
    assert any("(EnableKey) wrote something else" in line for line in found)
    assert any(line.startswith("state: alias: the record that ") and "CreateAlias" in line for line in found)


def test_after_a_crash_a_database_put_back_by_a_single_change_is_found(tmp_path):
    """Each group in the journal tells the store's commit: what the store learns of journals later is not needed for it."""
    copies = [tmp_path / f"{number}.db" for number in range(5)]
    with RunningServer(tmp_path / "data") as server:
        client = server.client()
        key = client.create_key()["KeyMetadata"]["KeyId"]
        server.store.backup(copies[0])
        for copy, change in zip(
            copies[1:],
            (client.disable_key, client.enable_key, client.enable_key_rotation, client.schedule_key_deletion),
            strict=True,
        ):
            change(KeyId=key)
            server.store.backup(copy)
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")  # nothing was closed
    for number, copy in enumerate(copies):
        for path in (tmp_path / "crashed").glob("store.db*"):
            path.unlink()
        shutil.copy(copy, tmp_path / "crashed" / "store.db")
        found = findings(tmp_path / "crashed")
        if copy == copies[-1]:
            assert found == ()
        else:
            assert found[0].startswith("the database was put back: it is at commit "), number
            assert any("wrote something else" in line for line in found), number


def test_a_database_that_was_put_back_and_served_on_is_found_once_the_journal_is_back(data_dir, tmp_path):
    """Neither the number of its commits nor its own tree tells: the evidence of the time between does."""
    shutil.copytree(data_dir, tmp_path / "old")
    with RunningServer(data_dir) as server:
        key = server.client().list_keys()["Keys"][0]["KeyId"]
        server.client().enable_key(KeyId=key)
    with RunningServer(tmp_path / "old") as server:
        for number in range(8):
            server.client().tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": str(number)}])
    for path in data_dir.glob("store.db*"):
        path.unlink()
    for path in (tmp_path / "old").glob("store.db*"):
        shutil.copy(path, data_dir)
    found = findings(data_dir)
    assert not any("put back: it is at commit" in line for line in found)
    assert any("journal w0 (EnableKey) wrote something else" in line for line in found)


def test_barrier_and_root_key_may_change_and_keys_be_shredded(data_dir):
    with RunningServer(data_dir) as server:
        client = server.client()
        key = client.create_key()["KeyMetadata"]["KeyId"]
        client.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        server.advance(8 * 86_400)
        with pytest.raises(client.exceptions.NotFoundException):
            client.describe_key(KeyId=key)
        server.store.rotate_barrier()
        while not server.store.reseal():
            pass
        assert findings(data_dir) == ()
    assert findings(data_dir) == ()


def test_a_restored_deployment_is_whole_and_goes_on(tmp_path):
    server = DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2")
    kept = tmp_path / "kept.tar"
    with server:
        load = Load(server.client(), 3, "backup")
        load.start()
        load.wait_for(30)
        while not (server.data_dir / "log/checkpoint").exists():
            load.wait_for(5)
        done = CliRunner().invoke(cli, ["backup", "create", str(kept), "--data-dir", str(server.data_dir)])
        assert done.exit_code == 0, done.output
        server.kill()
        load.join()
    seal_key, again = server.data_dir / "seal.key", tmp_path / "again"
    command = ["backup", "restore", str(kept), "--data-dir", str(again), "--seal-key", str(seal_key)]
    restored = CliRunner().invoke(cli, command)
    assert "Who saw a later checkpoint will say that it was rolled back" in restored.output
    assert findings(again) == ()
    with DevServer(again, tmp_path / "logs", "--workers", "2") as after:
        assert after.client().must("CreateKey")
        assert after.stop() == 0
    assert findings(again) == ()


def test_every_table_is_listed():
    for module in ("deliver", "serve", "seal", "service", "account"):
        __import__(f"keystead.cli.{module}")
    loaded = [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("keystead.")
        for value in vars(module).values()
        if isinstance(value, Table)
    ]
    assert {table.name for table in loaded} == {table.name for table in TABLES}
    assert len({table.name for table in TABLES}) == len(TABLES)


@pytest.mark.parametrize("workers", [1, 3])
def test_after_kills_at_work_the_store_is_what_changes_left(tmp_path, workers):
    server = DevServer(tmp_path / "data", tmp_path / "logs", "--workers", str(workers))
    for number in range(3):
        with server:
            load = Load(server.client(), 3, f"run{number}")
            load.start()
            load.wait_for(60)
            assert findings(server.data_dir) == ()  # while it goes on
            server.kill()
            load.join()
        assert findings(server.data_dir) == ()
    with server:
        assert server.stop() == 0
    assert findings(server.data_dir) == ()
