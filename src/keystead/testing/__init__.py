"""Owns stand-ins that behave as badly as the world does, and a server for tests.

For the tests of Keystead and of programs that use it. Nothing that serves a request may import it.
"""

from keystead.testing.people import Person, allow, deny
from keystead.testing.server import RunningServer

__all__ = ["Person", "RunningServer", "allow", "deny"]
