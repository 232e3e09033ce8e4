"""The story of default and custom keys, played from its first to its last line."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

KEYSTEAD = Path(sys.executable).with_name("keystead")

GET = "$ aws s3api get-object --bucket documents --key"

OUTCOMES = [
    f"Batch {GET} letter letter.txt\n    Dear partner, the merger is on for Friday.",
    "Nor can it be disabled in an emergency",
    "    # finance.json\n    Effect: Allow\n",
    "--policy file://finance.json",
    "--ssekms-key-id alias/documents",
    f"App {GET} invoice invoice.txt\n    Invoice 7: 1,200",
    f"Batch {GET} invoice invoice.txt\n    AccessDenied: User: ",
    "asked for kms:Decrypt",
    "Principal wants arn:aws:iam::000000000000:role/App; it is arn:aws:iam::000000000000:role/Batch",
    "thief $ grep",
    "    nothing, in ",
    "App $ aws kms generate-data-key",
    "Condition StringEquals kms:ViaService wants s3.us-east-1.amazonaws.com; it is absent",
    "make the request with kms:EncryptionContext:department = finance",
    f"KeyAdmin {GET} invoice invoice.txt\n    AccessDenied: User: ",
    f"auditor of account 111122223333 {GET} invoice invoice.txt\n    Invoice 7: 1,200",
    f"auditor of account 111122223333 {GET} letter letter.txt\n    AccessDenied",
    "stored, under the new key",
    f"App {GET} invoice invoice.txt\n    KMS.DisabledException",
    f"App {GET} invoice invoice.txt\n    KMS.KMSInvalidStateException",
    f"App {GET} invoice invoice.txt\n    KMS.NotFoundException",
    f"App {GET} invoice-8 invoice-8.txt\n    Invoice 8: 340",
]
"""What the reader sees, in this order."""


def test_the_story_goes_as_it_is_told():
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSTEAD_"))}
    done = subprocess.run(
        [KEYSTEAD, "demo", "default-vs-custom"], check=False, capture_output=True, text=True, env=clean
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    at = 0
    for outcome in OUTCOMES:
        found = done.stdout.find(outcome, at)
        assert found >= 0, outcome
        at = found + len(outcome)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_story_that_is_broken_off_leaves_no_server(tmp_path, number):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSTEAD_"))}
    command = [KEYSTEAD, "demo", "default-vs-custom"]
    environment = {**clean, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as told:
        told.stdout.readline()  # the story has begun
        (journal,) = tmp_path.glob("keystead-demo-*/data/journal/w0")
        held = os.open(journal, os.O_RDONLY)
        told.send_signal(number)
        fcntl.flock(held, fcntl.LOCK_EX)  # which the server has until it ends
        os.close(held)
    assert (list(tmp_path.iterdir()) == []) is (number != signal.SIGKILL)
