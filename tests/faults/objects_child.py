"""Does one operation on objects again and again, and is killed at another step each time.

    objects_child.py BASE PLACE OPERATION < credential    the exit statuses as JSON

Each attempt is a process of its own, on a copy PLACE/NUMBER of the deployment BASE; `acknowledged` in it says that the
answer had arrived. The last attempt has fewer steps than its number, and ends by itself.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import msgspec

import keystead.app.server
from keystead.identity import Credential
from keystead.objects import DirectoryBlobs
from keystead.storage import Store
from keystead.testing import RunningServer
from keystead.testing.blobs import FaultyFiles, Step

SIZE = 600_000
FIRST = 5 * 1024 * 1024
CANARY = b"a canary that no file may hold in plain "
NEW = (b"new" + CANARY * (SIZE // len(CANARY)))[:SIZE]


class Killed(RunningServer):
    """A server that is killed at a step of its store of objects, or of its commits, once it is armed."""

    def __init__(self, directory):
        super().__init__(directory)
        self.files = FaultyFiles(0, Step.KILLED_BEFORE)

    def open_store(self) -> Store:
        store, files = super().open_store(), self.files
        commit = store.backend.commit
        store.backend.commit = lambda batch: files._step("commit", lambda: commit(batch))
        return store

    def arm(self, number):
        self.files.steps.clear()
        self.files._at = number


def begun(s3, key):
    """An upload of ten times NEW in two parts that have both arrived: what completes it."""
    named = {"Bucket": "bucket", "Key": key}
    named["UploadId"] = s3.create_multipart_upload(**named)["UploadId"]
    parts = []
    large = NEW * 10
    for number, body in enumerate((large[:FIRST], large[FIRST:]), 1):
        tag = s3.upload_part(**named, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    return lambda: s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})


def part(s3):
    """The first part of a new upload, on its way."""
    named = {"Bucket": "bucket", "Key": "fresh"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    return lambda: s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=NEW)


def copy(s3):
    return lambda: s3.copy_object(Bucket="bucket", Key="fresh", CopySource="bucket/other")


# Each prepares what it needs, and gives what is killed at each of its steps.
OPERATIONS = {
    "put": lambda s3: lambda: s3.put_object(Bucket="bucket", Key="fresh", Body=NEW),
    "overwrite": lambda s3: lambda: s3.put_object(Bucket="bucket", Key="changed", Body=NEW),
    "delete": lambda s3: lambda: s3.delete_object(Bucket="bucket", Key="changed"),
    "part": part,
    "complete": lambda s3: begun(s3, "fresh"),
    "complete over another": lambda s3: begun(s3, "changed"),
    "copy": copy,
}


def attempt(directory, root, operation, number):
    server = Killed(directory)
    server._credentials[root.account] = root
    keystead.app.server.open_blobs = lambda _settings, where: DirectoryBlobs(where / "objects", server.files)
    with server:
        s3 = server.client("s3")
        s3.head_bucket(Bucket="bucket")
        perform = OPERATIONS[operation](s3)
        server.arm(number)
        perform()
        (directory / "acknowledged").touch()
        server.arm(0)


def main():
    base, place, operation = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    root = msgspec.json.decode(sys.stdin.buffer.read(), type=Credential)
    outcomes = []
    while not outcomes or outcomes[-1]:
        directory = place / str(len(outcomes) + 1)
        shutil.copytree(base, directory)
        if not (child := os.fork()):
            attempt(directory, root, operation, len(outcomes) + 1)
            os._exit(0)
        outcomes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
