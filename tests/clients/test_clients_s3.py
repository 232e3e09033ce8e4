"""The AWS CLI's file commands against buckets here, unchanged."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keystead.testing.server import RunningServer

pytestmark = pytest.mark.client

AWS = Path(sys.executable).parent / "aws"
LARGE = 20_000_000
"""Bytes: enough for the CLI to send a file in parts."""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Any]:
    with RunningServer() as server:
        environment = os.environ | server.environment()

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [AWS, "s3", *arguments],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run


def test_files_go_there_and_back(aws: Any, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "small ü.txt").write_text("hello")
    (tree / "empty").write_bytes(b"")
    (tree / "below" / "large").write_bytes(os.urandom(LARGE))
    aws("mb", "s3://cli")
    aws("cp", "tree/small ü.txt", "s3://cli/one", "--sse", "aws:kms")
    aws("sync", "tree", "s3://cli/tree/", "--sse", "aws:kms")
    assert aws("sync", "tree", "s3://cli/tree/") == ""  # all is there already
    aws("mv", "s3://cli/tree/below/large", "s3://cli/moved")
    aws("cp", "s3://cli/moved", "s3://cli/tree/below/large")
    aws("sync", "s3://cli/tree/", "back")
    for name in ("small ü.txt", "empty", "below/large"):
        assert filecmp.cmp(tree / name, tmp_path / "back" / name, shallow=False)
    listed = aws("ls", "s3://cli", "--recursive").splitlines()
    assert [line.split(maxsplit=3)[3] for line in listed] == [
        "moved",
        "one",
        "tree/below/large",
        "tree/empty",
        "tree/small ü.txt",
    ]
    aws("rm", "s3://cli/tree/", "--recursive")
    aws("rb", "s3://cli", "--force")
    assert aws("ls") == ""
