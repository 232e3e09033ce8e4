"""s3fs with pandas. Its pins of botocore are not ours, so it lives in an environment of its own.

That environment is made from `requirements/s3fs.txt` (`make s3fs`); KEYSTEAD_S3FS_PYTHON names its Python where it is
elsewhere.
"""

import json
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.client

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("s3fs_script.py")


@pytest.fixture
def python():
    for place in (os.environ.get("KEYSTEAD_S3FS_PYTHON"), str(ROOT / ".venv-s3fs/bin/python")):
        if place and Path(place).exists():
            return place
    pytest.skip("s3fs is not installed; KEYSTEAD_S3FS_PYTHON does not name a Python that has it")


def test_pandas_and_a_file_system_over_a_bucket_with_a_key(run, python, new_key):
    done = run(python, str(SCRIPT), new_key()["Arn"])
    assert json.loads(done.stdout) == {"passed": ["tables", "files", "parts", "refusals"]}
