"""The AWS CLI's file commands against buckets here, unchanged."""

import filecmp
import os

import pytest

pytestmark = pytest.mark.client

LARGE = 20_000_000
"""Bytes: enough for the CLI to send a file in parts."""


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
        # Once: a file that the client sent again after a minute's silence would arrive all the same.
        return run(program("aws"), "s3", *words, AWS_MAX_ATTEMPTS="1").stdout

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
