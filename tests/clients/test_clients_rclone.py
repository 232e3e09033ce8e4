"""rclone, as people set it up for a store that is not AWS's own: copies, checks, server-side copies, synchronising."""

import itertools
import os

import pytest

pytestmark = pytest.mark.client

LARGE = 24 * 1024 * 1024
"""rclone uploads in parts beyond the cutoff that the fixture sets."""
_numbers = itertools.count()


@pytest.fixture
def remote(server):
    """The name of a new bucket, as rclone has it."""
    name = f"rclone-{next(_numbers)}"
    server.client("s3").create_bucket(Bucket=name)
    return f"keystead:{name}"


@pytest.fixture
def rclone(run, program, environment):
    """`rclone(*words)`: what the command printed."""
    found = program("rclone")
    options = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENV_AUTH": "true",
        "ENDPOINT": environment["AWS_ENDPOINT_URL"],
        "REGION": environment["AWS_REGION"],
        "UPLOAD_CUTOFF": "8Mi",
        "CHUNK_SIZE": "8Mi",
    }

    def call(*words, **more):
        variables = {f"RCLONE_CONFIG_KEYSTEAD_{name}": value for name, value in (options | more).items()}
        return run(found, "--config", "/dev/null", *words, **variables).stdout

    return call


@pytest.fixture
def tree(tmp_path):
    """A directory of files of several sizes and names."""
    root = tmp_path / "tree"
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / "empty").touch()
    (root / "sub" / "näme with + % & 🔑").write_bytes(b"x" * 10)
    (root / "sub" / "deeper" / "middle").write_bytes(os.urandom(700_000))
    (root / "large").write_bytes(os.urandom(LARGE))
    return root


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_tree_is_copied_checked_and_comes_back(rclone, remote, tree, tmp_path):
    rclone("copy", str(tree), f"{remote}/dir")
    rclone("check", str(tree), f"{remote}/dir")
    rclone("check", "--download", str(tree), f"{remote}/dir")
    rclone("sync", f"{remote}/dir", str(tmp_path / "back"))
    assert contents(tmp_path / "back") == contents(tree)


def test_copies_and_moves_stay_on_the_server(rclone, remote, tree, tmp_path):
    rclone("copy", str(tree), f"{remote}/dir")
    rclone("copy", f"{remote}/dir", f"{remote}/second")
    rclone("move", f"{remote}/second", f"{remote}/third")
    assert rclone("lsf", "-R", "--files-only", f"{remote}/second") == ""
    rclone("copy", f"{remote}/third", str(tmp_path / "back"))
    assert contents(tmp_path / "back") == contents(tree)


def test_synchronising_sends_what_changed_and_removes_what_is_gone(rclone, remote, tree):
    rclone("sync", str(tree), f"{remote}/dir")
    (tree / "empty").unlink()
    (tree / "sub" / "new").write_text("new")
    rclone("sync", str(tree), f"{remote}/dir")
    assert set(rclone("lsf", "-R", "--files-only", f"{remote}/dir").splitlines()) == set(contents(tree))
    rclone("purge", f"{remote}/dir")
    assert rclone("lsf", "-R", remote) == ""


def test_a_custom_key_is_named_in_each_upload(rclone, remote, tree, server, kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    rclone("copy", str(tree), f"{remote}/dir", SERVER_SIDE_ENCRYPTION="aws:kms", SSE_KMS_KEY_ID=key)
    bucket = remote.partition(":")[2]
    for name in contents(tree):
        head = server.client("s3").head_object(Bucket=bucket, Key=f"dir/{name}")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    rclone("check", "--download", str(tree), f"{remote}/dir")
