"""Attributes computed when they are first asked for.

`functools.cached_property` takes a lock before Python 3.12, which costs as much as a kernel on a
small batch.  The cells of a batch belong to one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator, like property
    """A method that is called once; its answer becomes the attribute, unless it is the object.

    An object that kept itself would stand in a cycle, and its column would not be freed with its
    batch but when the collector, which counts objects and not bytes, comes to it.
    """

    def __init__(self, compute: Callable[..., T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type[object]) -> once[T]: ...

    @overload
    def __get__(self, instance: object, owner: type[object]) -> T: ...

    def __get__(self, instance: object | None, owner: type[object]) -> T | once[T]:
        if instance is None:
            return self
        value = self._compute(instance)
        if value is not instance:
            instance.__dict__[self._name] = value
        return value
