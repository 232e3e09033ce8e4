"""What a connection does."""

from __future__ import annotations

import enum


class Phase(enum.IntEnum):
    """What a connection does; the time limit that runs is in parentheses.

    In order: up to BODY it reads, from HANDLING on what arrives waits, from LINGERING on it ends.
    (Comparing integers is what keeps this out of a request's cost.)
    """

    IDLE = enum.auto()  # between requests (idle_timeout)
    HEADERS = enum.auto()  # a request has begun (header_timeout)
    BODY = enum.auto()  # its headers are complete (body_timeout)
    HANDLING = enum.auto()  # the handler has it (none, but body_timeout while its body arrives)
    SENDING = (
        enum.auto()
    )  # its answer is made piece by piece (body_timeout while the client does not take it)
    WRITING = enum.auto()  # the client does not take its answer (body_timeout)
    LINGERING = enum.auto()  # refused; what still comes is thrown away (linger_timeout)
    CLOSING = enum.auto()  # the last answer is on its way out (body_timeout)
    CLOSED = enum.auto()  # gone
