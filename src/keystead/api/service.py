"""A service: its wire model and the operations behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import msgspec

from keystead.api.operation import Operation
from keystead.wire import model
from keystead.wire.validate import validate

Check = Callable[[model.Shape], None]
"""Returns if a request keeps its model's constraints, else raises the service's error for that."""


class Service(msgspec.Struct, frozen=True, dict=True):
    """`operations` has a function for each operation of `model` that is offered."""

    model: model.Service
    operations: dict[str, Operation]
    check: Check = validate

    @cached_property
    def name(self) -> str:
        """The name in signatures and action prefixes, e.g. `kms`."""
        return self.model.name


def service(described: model.Service, operations: Iterable[Operation], check: Check = validate) -> Service:
    """A service from its model and its functions.

    Raises:
        ValueError: a function for an operation that the model does not have, or two for one.
    """
    table: dict[str, Operation] = {}
    for op in operations:
        if op.name not in described.operations or op.name in table:
            raise ValueError(f"{described.name} has no place for operation {op.name}")
        table[op.name] = op
    return Service(described, table, check)
