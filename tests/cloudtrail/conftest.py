"""A server whose trails deliver into a directory."""

import pytest

from keystead.testing import RunningServer


@pytest.fixture
def server(tmp_path):
    (tmp_path / "evidence").mkdir()
    with RunningServer(trail_directory=str(tmp_path)) as running:
        yield running
