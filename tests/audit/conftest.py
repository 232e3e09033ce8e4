"""A place for files that nobody needs after the test: in memory where the host has such a place."""

import os
import tempfile
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"


@pytest.fixture(scope="session")
def scratch():
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        yield Path(name)


@pytest.fixture
def root(scratch):
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        yield Path(name)
