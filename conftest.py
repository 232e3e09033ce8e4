"""Settings of the test run that hold for every test."""

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure: no test asserts how long something takes. Examples follow from the test alone, so that one
# state of the code has one result; `make fuzz` looks for others.
settings.register_profile("keystead", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("keystead")

_ORDER = {"late": 2, "client": 0, "slow": 1}
"""Where a test's file stands in the run, by the first of these marks that it has; files of others are the last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests take long come first, so that no process ends the run with one while the others have none."""
    places: dict[Path, int] = {}
    for item in items:
        place = next((place for mark, place in _ORDER.items() if item.get_closest_marker(mark)), len(_ORDER))
        places[item.path] = min(place, places.get(item.path, place))
    items.sort(key=lambda item: places[item.path])
