import json

import bundles
import pytest

from keystead_verify.main import run


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A bundle of a server that served some 300 calls, and the ARN of its key. Copy it to change it."""
    place = tmp_path_factory.mktemp("recorded")
    key = bundles.record(place / "data")
    # Entries of both versions in turn, as of a log that was begun before version 2.
    return bundles.Bundle.of(place / "data", place / "bundle", versions=(1, 2)), key


@pytest.fixture
def bundle(recorded, tmp_path):
    """A copy of the bundle."""
    return recorded[0].copy(tmp_path / "bundle")


@pytest.fixture
def verify(capsys):
    """Runs a command: its exit status and its report."""

    def verified(command, *arguments):
        status = run([command, *map(str, arguments), "--output", "json"])
        printed = capsys.readouterr()
        report = json.loads(printed.out) if printed.out else {"error": printed.err}
        kinds = {finding["kind"] for finding in report.get("findings", ())}
        assert status == (2 if "error" in report else int(bool(kinds)))
        return kinds, report

    return verified
