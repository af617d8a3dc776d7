"""An attribute worked out when it is first asked for, without a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class lazy_attribute(Generic[Value]):  # noqa: N801 - used as a decorator, like `property`
    """Like ``functools.cached_property`` since Python 3.12: threads may each work a value out.

    Up to Python 3.11 that one holds a lock for every value worked out, which takes longer than
    most of the values here. Values must be pure: which of two equal ones is kept does not matter.
    """

    def __init__(self, work_out: Callable[[Any], Value]) -> None:
        """Take the method that works the value out."""
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name under which values are kept."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy_attribute[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Value | lazy_attribute[Value]:
        """Work the value out, and keep it where it is found before this is asked again."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work_out(instance)
        return value
