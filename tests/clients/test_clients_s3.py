"""Other people's tools keep their files in buckets here: the AWS CLI, rclone and pyarrow, unchanged."""

import filecmp
import os

import pytest

pytestmark = pytest.mark.client

LARGE = 20_000_000
"""Bytes: enough for all of them to send a file in parts."""


@pytest.fixture
def tree(tmp_path):
    """A directory with a name that must be encoded, an empty file, and one that goes in parts."""
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "small ü.txt").write_text("hello")
    (tree / "empty").write_bytes(b"")
    (tree / "below" / "large").write_bytes(os.urandom(LARGE))
    return tree


def same(tree, other):
    names = ("small ü.txt", "empty", "below/large")
    return all(filecmp.cmp(tree / name, other / name, shallow=False) for name in names)


def test_the_aws_cli_copies_synchronizes_moves_and_removes(run, program, tree, tmp_path):
    def aws(*words):
        return run(program("aws"), "s3", *words).stdout

    aws("mb", "s3://cli")
    aws("cp", "tree/small ü.txt", "s3://cli/one", "--sse", "aws:kms")
    aws("sync", "tree", "s3://cli/tree/", "--sse", "aws:kms")
    assert aws("sync", "tree", "s3://cli/tree/") == ""  # all is there already
    aws("mv", "s3://cli/tree/below/large", "s3://cli/moved")
    aws("cp", "s3://cli/moved", "s3://cli/tree/below/large")
    aws("sync", "s3://cli/tree/", "back")
    assert same(tree, tmp_path / "back")
    listed = aws("ls", "s3://cli", "--recursive").splitlines()
    names = ["moved", "one", "tree/below/large", "tree/empty", "tree/small ü.txt"]
    assert [line.split(maxsplit=3)[3] for line in listed] == names
    aws("rm", "s3://cli/tree/", "--recursive")
    aws("rb", "s3://cli", "--force")
    assert aws("ls") == ""


def test_rclone_synchronizes_and_compares(run, program, tree, tmp_path, server):
    credential = server.credential()
    remote = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": credential.access_key_id,
        "SECRET_ACCESS_KEY": credential.secret,
        "ENDPOINT": server.url,
        "REGION": "us-east-1",
        "SERVER_SIDE_ENCRYPTION": "aws:kms",
        "CHUNK_SIZE": "5M",
        "UPLOAD_CUTOFF": "5M",
    }
    variables = {f"RCLONE_CONFIG_KEPT_{name}": value for name, value in remote.items()}

    def rclone(*words):
        return run(program("rclone"), *words, RCLONE_CONFIG=str(tmp_path / "none"), **variables)

    rclone("mkdir", "kept:rclone")
    rclone("sync", str(tree), "kept:rclone/tree")
    assert "0 differences found" in rclone("check", "--download", str(tree), "kept:rclone/tree").stderr
    rclone("copyto", "kept:rclone/tree/below/large", "kept:rclone/copy")
    assert rclone("cat", "kept:rclone/tree/small ü.txt").stdout == "hello"
    rclone("sync", "kept:rclone/tree", str(tmp_path / "back"))
    assert same(tree, tmp_path / "back")
    rclone("purge", "kept:rclone")
    assert server.client("s3").list_buckets()["Buckets"] == []


def test_pyarrow_writes_and_reads_tables(server):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import fs, parquet

    credential = server.credential()
    files = fs.S3FileSystem(
        access_key=credential.access_key_id,
        secret_key=credential.secret,
        endpoint_override=f"127.0.0.1:{server.port}",
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    files.create_dir("arrow")
    table = pyarrow.table({"number": list(range(100_000)), "text": [str(each) for each in range(100_000)]})
    parquet.write_table(table, "arrow/dir/table.parquet", filesystem=files)
    assert parquet.read_table("arrow/dir/table.parquet", filesystem=files).equals(table)
    files.create_dir("arrow/empty")
    files.move("arrow/dir/table.parquet", "arrow/moved.parquet")
    files.delete_dir("arrow/dir")
    found = files.get_file_info(fs.FileSelector("arrow", recursive=True))
    assert sorted(each.path for each in found) == ["arrow/empty", "arrow/moved.parquet"]
    files.delete_dir("arrow")
