"""What a client's process needs: an environment of its own, a server, and a reason when it is missing."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import BRIEF

ROOT = Path(__file__).parents[2]
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


# ---------------------------------------------------------------------------------- Terraform
#
# The provider comes from a filesystem mirror, since a test fetches nothing: the directory that
# KEYSTEAD_TF_PLUGINS names, or one of Terraform's own places for mirrors.

PROVIDER = "hashicorp/aws"
PLACES = (
    os.environ.get("KEYSTEAD_TF_PLUGINS", "/opt/tf-plugins"),
    str(Path.home() / ".terraform.d/plugins"),
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)


@pytest.fixture
def mirror(tmp_path):
    """A command-line configuration of Terraform that takes providers from the mirror and from nowhere else."""
    place = next((place for place in PLACES if any(Path(place).glob(f"*/{PROVIDER}"))), None)
    if place is None:
        pytest.skip(f"no mirror with {PROVIDER} in {', '.join(PLACES)}")
    configuration = tmp_path / "terraformrc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{place}"\n  }}\n}}\n'
    )
    return configuration


@pytest.fixture
def server_settings():
    """The variables `KEYSTEAD_…` that the deployment's server runs with; modules override it."""
    return {}


@pytest.fixture
def deployment(tmp_path, program, clean_environment, server_settings):
    """The environment of clients of a `keystead dev` of its own, as the lines that it prints set it."""
    command = [program("keystead"), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=clean_environment(tmp_path, **server_settings),
        )
    with process:
        assert process.stdout is not None
        exports = {}
        for line in process.stdout:
            words = line.strip().removeprefix("export ")
            name, is_export, value = words.partition("=")
            if is_export and name.startswith("AWS_"):
                exports[name] = value.strip("'\"")
            if {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} <= set(
                exports
            ):
                break
        else:
            pytest.fail((tmp_path / "log").read_text())
        yield clean_environment(tmp_path, **exports)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 0


@pytest.fixture
def terraform(program, mirror, deployment, example, tmp_path):
    """`terraform(*words)`: its standard output, in a directory that holds what the fixture `example` names."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("the program terraform is not installed")
    directory = tmp_path / "example"
    shutil.copytree(example, directory, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    variables = {
        **deployment,
        "TF_CLI_CONFIG_FILE": str(mirror),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        **BRIEF,
    }

    def call(*words, override=None):
        if override is not None:
            (directory / "override.tf").write_text(override)
        done = subprocess.run(
            [found, *words], cwd=directory, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"terraform {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def scanner():
    """`scanner(name)`: the path of a scanner's program, skips if it is not installed.

    Scanners pin hundreds of packages, so each lives in an environment of its own that `make scanners` makes;
    KEYSTEAD_PROWLER and KEYSTEAD_CHECKOV name their programs elsewhere.
    """

    def find(name):
        own = ROOT / f".venv-{name}"
        whole = (own / f".{name}").exists()  # the program is there before all that it needs is
        places = (os.environ.get(f"KEYSTEAD_{name.upper()}"), str(own / "bin" / name) if whole else None)
        found = next((place for place in places if place and Path(place).exists()), None) or shutil.which(
            name
        )
        if found is None:
            pytest.skip(
                f"{name} is not installed (`make scanners`); KEYSTEAD_{name.upper()} does not name it"
            )
        return found

    return find
