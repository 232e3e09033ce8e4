from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

MOST_POLLS = 500


@contextmanager
def _refused(code, message=None):
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    if message is not None:
        assert error["Message"] == message


@pytest.fixture
def server(fresh_server):
    """A server of each test's own: aliases and counts must not meet."""
    return fresh_server


@pytest.fixture
def kms(server):
    return server.client("kms")


@pytest.fixture
def refused():
    """A context in which a call must fail with that code, and that message if one is given."""
    return _refused


@pytest.fixture
def eventually():
    """What `ask` answers once `holds` is true of it, for what the scheduler does in its own time."""

    def wait(ask, holds):
        for _ in range(MOST_POLLS):
            answer = ask()
            if holds(answer):
                return answer
        raise AssertionError(answer)

    return wait


@pytest.fixture
def new_key(kms):
    """The metadata of a new key with those members."""

    def create(client=kms, **members):
        return client.create_key(**members)["KeyMetadata"]

    return create
