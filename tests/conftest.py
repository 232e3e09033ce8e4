import pytest

from keystead.testing import RunningServer


@pytest.fixture(scope="module")
def server():
    """One running server for the tests of a module; they must not depend on each other's keys."""
    with RunningServer() as running:
        yield running


@pytest.fixture
def fresh_server():
    """A running server of a test's own."""
    with RunningServer() as running:
        yield running
