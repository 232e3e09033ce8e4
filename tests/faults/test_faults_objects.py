"""The process is killed at each step of what changes objects: what was acknowledged is there, and nothing is half there."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from canaries import files

from keystead.cli.s3 import examine
from keystead.testing import RunningServer

CHILD = Path(__file__).parent / "objects_child.py"
CANARY = b"a canary that no file may hold in plain "
SIZE = 600_000
BODIES = {name: (name.encode() + CANARY * (SIZE // len(CANARY)))[:SIZE] for name in ("old", "new", "other")}
BODIES["large"] = BODIES["new"] * 10


def restarted(directory, root):
    server = RunningServer(directory)
    server._credentials[root.account] = root
    return server


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A stopped deployment with two objects, and its root's credentials."""
    directory = tmp_path_factory.mktemp("base")
    with RunningServer(directory) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="changed", Body=BODIES["old"])
        s3.put_object(Bucket="bucket", Key="other", Body=BODIES["other"])
        return directory, server.credential()


def killed(base, place, operation):
    """The directories that were left, one for each step that was not reached any more."""
    directory, root = base
    words = [sys.executable, str(CHILD), str(directory), str(place), operation]
    credential = msgspec.json.encode(root)
    done = subprocess.run(words, input=credential, capture_output=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr.decode()
    statuses = json.loads(done.stdout)
    # The last attempt came to its end: every step before was one that a process was killed at.
    assert statuses == [-signal.SIGKILL] * (len(statuses) - 1) + [0]
    return [place / str(number) for number in range(1, len(statuses) + 1)]


def read(s3, key):
    found = {entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket").get("Contents", ())}
    return s3.get_object(Bucket="bucket", Key=key)["Body"].read() if key in found else None


# operation: the key it changes, what is there before and after, and the least number of steps it has
OPERATIONS = {
    "put": ("fresh", None, "new", 8),
    "overwrite": ("changed", "old", "new", 8),
    "delete": ("changed", "old", None, 1),
    "part": ("fresh", None, None, 8),
    "complete": ("fresh", None, "large", 1),
    "complete over another": ("changed", "old", "large", 1),
    "copy": ("fresh", None, "other", 8),
}


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_half(base, tmp_path, operation):
    key, before, after, least = OPERATIONS[operation]
    left = killed(base, tmp_path, operation)
    assert len(left) > least
    seen = set()
    for directory in left:
        acknowledged = (directory / "acknowledged").exists()
        with restarted(directory, base[1]) as server:
            s3 = server.client("s3")
            body = read(s3, key)
            assert body in (before and BODIES[before], after and BODIES[after]), directory
            if acknowledged:
                assert body == (after and BODIES[after]), directory
            assert read(s3, "other") == BODIES["other"]
            found = examine(server.store, server.app._blobs, before=float("inf"))
            assert not found.is_damaged, directory
            assert len(found.orphans) + len(found.unfinished) <= 1, directory
            seen.add(body)
        for file in files([directory]):
            assert CANARY not in file.read_bytes(), file
        shutil.rmtree(directory)
    # Some kills came before the change, and at least the last process made it.
    assert len(seen) == len({before, after})


def test_the_canary_of_these_tests_is_found_where_it_is(tmp_path):
    (tmp_path / "plain").write_bytes(BODIES["old"])
    assert [file for file in files([tmp_path]) if CANARY in file.read_bytes()] == [tmp_path / "plain"]
    assert (tmp_path / "plain").stat().st_size == SIZE
