import os

import pytest
from evidence import findings

from keystead.testing import RunningServer

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of the many servers compiles all that it imports

BY_CALLS_ONLY = {"iam", "kms", "organizations"}
"""Rooms whose tests change a server's store by calls only, never beside it."""


@pytest.fixture(scope="module")
def server(request):
    """One running server for the tests of a module; they must not depend on each other's keys.

    Whatever calls did, in the end the evidence is whole, and the store holds what recorded changes left there.
    """
    with RunningServer() as running:
        yield running
        if request.path.parent.name in BY_CALLS_ONLY:
            assert findings(running.data_dir) == ()


@pytest.fixture
def fresh_server():
    """A running server of a test's own."""
    with RunningServer() as running:
        yield running
