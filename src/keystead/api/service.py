"""A service: its wire model and the operations behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import msgspec

from keystead.api.operation import Operation
from keystead.api.rest import Exchange
from keystead.storage import Transaction
from keystead.wire import model
from keystead.wire.http import Request
from keystead.wire.validate import validate

Check = Callable[[model.Shape], None]
"""Returns if a request keeps its model's constraints, else raises the service's error for that."""

Preflight = Callable[[Transaction, Request, Exchange], list[tuple[str, str]]]
"""Returns the headers that tell a browser what a page may send, else raises `errors.ApiError`."""


class Service(msgspec.Struct, frozen=True, dict=True):
    """`operations` has a function for each operation of `model` that is offered, `preflight` answers browsers."""

    model: model.Service
    operations: dict[str, Operation]
    check: Check = validate
    preflight: Preflight | None = None

    @cached_property
    def name(self) -> str:
        """The name in signatures and action prefixes, e.g. `kms`."""
        return self.model.name


def service(
    described: model.Service,
    operations: Iterable[Operation],
    check: Check = validate,
    preflight: Preflight | None = None,
) -> Service:
    """A service from its model and its functions.

    Raises:
        ValueError: a function for an operation that the model does not have, or two for one.
    """
    table: dict[str, Operation] = {}
    for op in operations:
        if op.name not in described.operations or op.name in table:
            raise ValueError(f"{described.name} has no place for operation {op.name}")
        table[op.name] = op
    return Service(described, table, check, preflight)
