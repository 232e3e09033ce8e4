"""Receipts with two workers: one of them sequences for both, and each hands out its own callers' receipts."""

import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from dev_process import ACCESS_KEY_ID, SECRET, DevServer

from keystead.receipts import METADATA, Receipts

KEYSTEAD = Path(sys.executable).with_name("keystead")
MOST = 200
"""Connections before it is no chance any more that one worker takes them all."""


def client(port, receipts):
    made = boto3.client(
        "kms",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
    )
    receipts.register(made.meta.events)
    return made


def test_callers_of_every_worker_get_receipts_that_hold(tmp_path):
    patient = {"KEYSTEAD_RECEIPT_WAIT": "300"}
    with DevServer(tmp_path / "data", tmp_path / "logs", "--workers", "2", environment=patient) as server:
        key = subprocess.run(
            [KEYSTEAD, "audit", "key", "--data-dir", tmp_path / "data"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        receipts, journals = Receipts(key), set()
        for _ in range(MOST):
            kms = client(server.port, receipts)
            receipt = kms.list_keys()["ResponseMetadata"][METADATA]
            journals.add(receipt.entry["journal"])
            kms.close()
            if len(journals) == 2:
                break
        assert journals == {"w0", "w1"}
        assert server.stop() == 0
