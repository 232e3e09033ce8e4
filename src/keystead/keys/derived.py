"""An attribute that follows from the fields of a frozen value: worked out when it is first asked for, and kept.

As `functools.cached_property`, but for the lock that this takes in Python 3.11, which costs a key that is used for the first
time more than all that is worked out. Two threads may both work it out; they come to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Result_co = TypeVar("Result_co", covariant=True)


class Derived(Generic[Result_co]):
    """Decorates the method that works the attribute out; its value needs a `__dict__`, where the result is kept.

    What is there is found before this is asked, since nothing here could set it (Python's "Descriptor HowTo Guide").
    """

    def __init__(self, work: Callable[[Any], Result_co]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, value: None, owner: type) -> Self: ...

    @overload
    def __get__(self, value: object, owner: type) -> Result_co: ...

    def __get__(self, value: object | None, owner: type) -> Self | Result_co:
        if value is None:
            return self
        result = value.__dict__[self._name] = self._work(value)
        return result
