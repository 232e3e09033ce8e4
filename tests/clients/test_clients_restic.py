"""restic keeps a repository in a bucket: backups, checks of every byte, restores, and pruning."""

import os

import pytest

pytestmark = pytest.mark.client


@pytest.fixture
def restic(run, program, server, environment):
    """`restic(*words)`: what the command printed."""
    found = program("restic")
    server.client("s3").create_bucket(Bucket="backups")
    repository = f"s3:{environment['AWS_ENDPOINT_URL']}/backups/machine"
    return lambda *words: (
        run(found, "--no-cache", *words, RESTIC_REPOSITORY=repository, RESTIC_PASSWORD="p").stdout
    )


def test_a_backup_is_checked_restored_and_pruned(restic, tmp_path, server):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "large").write_bytes(os.urandom(12_000_000))
    (source / "sub" / "small").write_text("first")
    restic("init")
    restic("backup", str(source))
    (source / "sub" / "small").write_text("second")
    restic("backup", str(source))
    assert "no errors were found" in restic("check", "--read-data")
    restic("restore", "latest", "--target", str(tmp_path / "restored"))
    restored = tmp_path / "restored" / source.relative_to("/")
    assert (restored / "sub" / "small").read_text() == "second"
    assert (restored / "large").read_bytes() == (source / "large").read_bytes()
    restic("forget", "--keep-last", "1", "--prune")
    assert "no errors were found" in restic("check", "--read-data")
    assert "1 snapshots" in restic("snapshots")
