"""The AWS SDK for JavaScript, third version, from the npm registry as its lock file pins it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.client

SOURCES = Path(__file__).with_name("js")


@pytest.fixture(scope="module")
def installed(tmp_path_factory, clean_environment):
    """A directory with the script and its packages; skips if node or the packages cannot be had."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            pytest.skip(f"the program {name} is not installed")
    directory = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", "kms.mjs", "s3.mjs"):
        shutil.copy(SOURCES / name, directory)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=directory,
        env=clean_environment(Path.home()),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"npm could not install the SDK: {done.stderr.strip().splitlines()[-1:]}")
    return directory


def test_the_javascript_sdk_encrypts_signs_pages_and_knows_our_errors(run, program, installed):
    done = run(program("node"), "kms.mjs", cwd=installed)
    assert json.loads(done.stdout) == {
        "account": "000000000000",
        "passed": ["encryption", "signing", "errors", "pages"],
    }


def test_the_javascript_sdk_keeps_objects_under_a_key(run, program, installed):
    done = run(program("node"), "s3.mjs", cwd=installed)
    assert json.loads(done.stdout) == {"passed": ["encryption", "parts", "versions", "pages", "refusals"]}
