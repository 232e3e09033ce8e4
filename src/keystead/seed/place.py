"""Where in a seed file an error is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keystead import errors


@contextmanager
def at(place: str) -> Iterator[None]:
    """A context in which an error names the place.

    Raises:
        errors.SettingsError: whatever was wrong there, with the place before it.
    """
    try:
        yield
    except (errors.ApiError, errors.CryptoError, errors.SettingsError) as error:
        raise errors.SettingsError(f"{place}: {error}") from None
