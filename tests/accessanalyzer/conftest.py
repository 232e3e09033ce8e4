"""What tests of findings share."""

import pytest
from watched import Watched

from keystead.testing import RunningServer


@pytest.fixture(scope="module")
def watched():
    with RunningServer() as server:
        yield Watched(server)
