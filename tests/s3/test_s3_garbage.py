"""What no object names any more is deleted after a while, and what is left over or lost is found."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from keystead.cli.main import cli
from keystead.objects import DirectoryBlobs
from keystead.services.s3 import garbage
from keystead.testing import RunningServer

LATER = garbage.GRACE + 1


def blobs_in(directory: Path) -> dict[str, Path]:
    return {path.name: path for path in (directory / "objects").rglob("*") if path.is_file()}


@pytest.fixture
def running(tmp_path):
    with RunningServer(tmp_path, inline_objects=0) as server:
        yield server


@pytest.fixture
def s3(running):
    client = running.client("s3")
    client.create_bucket(Bucket="bucket")
    return client


def put(s3, key, size=100_000, **more):
    s3.put_object(Bucket="bucket", Key=key, Body=bytes(size), **more)


def scrub(directory, *more, expect=0):
    words = ["s3", "scrub", "--data-dir", str(directory), "--output", "json", *more]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == expect, done.output
    return json.loads(done.stdout) if done.stdout else done.stderr


def age(*paths):
    """Make the files old, as the grace period has it."""
    import os

    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))


# --------------------------------------------------------------------------------------- collection


def test_blobs_of_deleted_and_replaced_objects_go_after_a_while(running, s3, tmp_path):
    put(s3, "kept")
    (kept,) = blobs_in(tmp_path)
    put(s3, "replaced")
    put(s3, "replaced")
    put(s3, "deleted")
    s3.delete_object(Bucket="bucket", Key="deleted")
    assert len(blobs_in(tmp_path)) == 4
    assert garbage.collect(running.store, running.app._blobs, running.clock.now()) == 0
    assert garbage.collect(running.store, running.app._blobs, running.clock.now() + LATER) == 2
    assert len(blobs_in(tmp_path)) == 2
    assert kept in blobs_in(tmp_path)
    for key in ("kept", "replaced"):
        assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == bytes(100_000)


def test_a_store_that_fails_keeps_its_notes(running, s3):
    from keystead.errors import BlobsUnavailable
    from keystead.testing.blobs import BlobFault, FaultyBlobs

    put(s3, "deleted")
    s3.delete_object(Bucket="bucket", Key="deleted")
    faulty = FaultyBlobs(running.app._blobs)
    faulty.fault = BlobFault.REFUSED
    later = running.clock.now() + LATER
    with pytest.raises(BlobsUnavailable):
        garbage.collect(running.store, faulty, later)
    faulty.fault = None
    assert garbage.collect(running.store, faulty, later) == 1
    assert garbage.collect(running.store, faulty, later) == 0


def test_the_server_deletes_what_is_due_by_itself(running, s3, tmp_path):
    put(s3, "deleted")
    s3.delete_object(Bucket="bucket", Key="deleted")
    running.clock.advance(LATER)
    running.app._collector.tick(running.app._pools.calls.executor)
    running.app._collector.wait()
    assert blobs_in(tmp_path) == {}


# ------------------------------------------------------------------------------------------- scrub


def test_an_untouched_store_agrees_with_its_records(running, s3, tmp_path):
    put(s3, "own")
    put(s3, "empty", 0)
    put(s3, "two layers", 1_000_000, ServerSideEncryption="aws:kms:dsse")
    put(s3, "replaced")
    put(s3, "replaced")
    age(*blobs_in(tmp_path).values())
    found = scrub(tmp_path)
    assert found["blobs"] == 5
    assert found["size"] == sum(path.stat().st_size for path in blobs_in(tmp_path).values())
    assert [found[name] for name in ("orphans", "unfinished", "missing", "resized", "recent")] == [
        [],
        [],
        [],
        [],
        0,
    ]


def test_what_is_left_over_is_found_and_deleted(running, s3, tmp_path):
    put(s3, "kept")
    DirectoryBlobs(tmp_path / "objects").put("0" * 32, [b"orphan"])
    (tmp_path / "objects" / "incoming" / ("1" * 32)).write_bytes(b"half")
    assert scrub(tmp_path)["recent"] == 2
    age(*(path for name, path in blobs_in(tmp_path).items() if name in ("0" * 32, "1" * 32)))
    found = scrub(tmp_path)
    assert [entry["name"] for entry in found["orphans"]] == ["0" * 32]
    assert [entry["name"] for entry in found["unfinished"]] == ["1" * 32]
    assert len(blobs_in(tmp_path)) == 3
    assert scrub(tmp_path, "--delete")["deleted"] == 2
    assert len(blobs_in(tmp_path)) == 1
    assert scrub(tmp_path)["orphans"] == []


@pytest.mark.parametrize("harm", ["missing", "resized"])
def test_what_is_lost_is_told_and_nothing_is_deleted_then(running, s3, tmp_path, harm):
    put(s3, "harmed")
    ((name, path),) = blobs_in(tmp_path).items()
    put(s3, "kept")
    orphan = "0" * 32
    DirectoryBlobs(tmp_path / "objects").put(orphan, [b"orphan"])
    age(*blobs_in(tmp_path).values())
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    found = scrub(tmp_path, expect=1)
    assert [entry if harm == "missing" else entry["name"] for entry in found[harm]] == [name]
    assert "nothing is deleted" in scrub(tmp_path, "--delete", expect=1)
    assert orphan in blobs_in(tmp_path)


def test_nothing_is_deleted_where_no_record_names_anything(running, tmp_path):
    DirectoryBlobs(tmp_path / "objects").put("0" * 32, [b"of another deployment"])
    age(*blobs_in(tmp_path).values())
    assert "right store" in scrub(tmp_path, "--delete", expect=1)
    assert "0" * 32 in blobs_in(tmp_path)
