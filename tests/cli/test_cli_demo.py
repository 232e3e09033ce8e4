"""The story of default and custom keys, played from its first to its last line."""

import os
import subprocess
import sys
from pathlib import Path

KEYSTEAD = Path(sys.executable).with_name("keystead")

OUTCOMES = [
    "Batch > GET /letter\n    Dear partner, the merger is on for Friday.",
    "Nor can it be disabled in an emergency",
    "    # finance.json\n    Effect: Allow\n",
    "--policy file://finance.json",
    "App > GET /invoice\n    Invoice 7: 1,200",
    "Batch > GET /invoice\n    AccessDeniedException",
    "Condition StringEquals kms:ViaService wants s3.us-east-1.amazonaws.com; it is absent",
    "make the request with kms:EncryptionContext:department = finance",
    "KeyAdmin looks after the key but cannot read what it protects.",
    "auditor of account 111122223333 $ aws kms decrypt",
    "stored, under the new key",
    "App > GET /invoice\n    DisabledException",
    "App > GET /invoice\n    InvalidCiphertextException\n",
    "App > GET /invoice-8\n    Invoice 8: 340",
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
