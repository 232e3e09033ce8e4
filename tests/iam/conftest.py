from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError


@contextmanager
def _refused(code, message=None, status=None):
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    if message is not None:
        assert error["Message"] == message
    if status is not None:
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.fixture
def server(fresh_server):
    """A server of each test's own: names and counts must not meet."""
    return fresh_server


@pytest.fixture
def iam(server):
    """IAM as the root of the first account uses it."""
    return server.client("iam")


@pytest.fixture
def refused():
    """A context in which a call must fail with that code, and that message and HTTP status if given."""
    return _refused
