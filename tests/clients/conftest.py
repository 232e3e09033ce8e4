"""What a client's process needs: an environment of its own, a server, and a reason when it is missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOST_SECONDS = 300
INHERITED = ("PATH", "LANG", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "VIRTUAL_ENV")


def _clean(home, **more):
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    kept.update({name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_")})
    nowhere = str(home / "none")
    return {
        **kept,
        "HOME": str(home),
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


@pytest.fixture(scope="session")
def clean_environment():
    """`clean_environment(home, **more)`: the variables of a process that knows no user's AWS settings.

    `NPM_CONFIG_*` stay, in either case: they say where packages come from.
    """
    return _clean


@pytest.fixture
def program():
    """`program(name)`: the path of a program, beside this Python or on the path; skips if there is none."""

    def find(name):
        beside = Path(sys.executable).with_name(name)
        found = str(beside) if beside.exists() else shutil.which(name)
        if found is None:
            pytest.skip(f"the program {name} is not installed")
        return found

    return find


@pytest.fixture
def environment(server, tmp_path):
    """The environment of a client's process, with the server's endpoint and credentials."""
    return _clean(tmp_path, **server.environment())


@pytest.fixture
def run(environment, tmp_path):
    """`run(*command)`: the finished process, in a directory of its own; its failure is the test's."""

    def call(*command, expect=0, cwd=tmp_path, **variables):
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        assert done.returncode == expect, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def kms(server):
    return server.client("kms")


@pytest.fixture
def new_key(kms):
    """The metadata of a new key with those members."""
    return lambda **members: kms.create_key(**members)["KeyMetadata"]
