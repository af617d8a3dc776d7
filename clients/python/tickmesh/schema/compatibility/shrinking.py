"""Makes a witness as small as it can be and still be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.budget import WorkSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIMPLE_NUMBERS = (0, 1, -1, 0.5, 2, 10)
_DEEPEST = 40


def shrunk(value: Any, holds: Callable[[Any], bool]) -> Any:
    """Return the smallest value found for which something still holds.

    Members and items are left out, strings shortened, numbers made plain, one at a time, as long
    as that works.

    Args:
        value: A value for which it holds.
        holds: Judges a smaller one; it ends the search by raising `WorkSpentError`.
    """
    best = value
    try:
        while True:
            for smaller in _smaller(best, 0):
                if holds(smaller):
                    best = smaller
                    break
            else:
                return best
    except WorkSpentError:
        return best


def _smaller(value: Any, depth: int) -> Iterator[Any]:
    """Yield values somewhat smaller than one, the greatest leaps first."""
    if isinstance(value, bool) or value is None or depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _shorter(value)
    elif isinstance(value, (int, float)):
        yield from _plainer(value)
    elif isinstance(value, list):
        yield from _with_fewer_items(value)
        for index, item in enumerate(value):
            for smaller in _smaller(item, depth + 1):
                yield [*value[:index], smaller, *value[index + 1 :]]
    elif isinstance(value, dict):
        if len(value) > 1:
            yield {}
        for name in value:
            yield {each: member for each, member in value.items() if each != name}
        for name, member in value.items():
            for smaller in _smaller(member, depth + 1):
                yield {**value, name: smaller}


def _shorter(text: str) -> Iterator[str]:
    if not text:
        return
    yield ""
    if len(text) > 1:
        yield text[0]
        yield text[: len(text) // 2]
        yield text[:-1]
        yield text[1:]
    readable = "".join(c if c.isascii() and c.isprintable() else "a" for c in text)
    if readable != text:
        yield readable


def _plainer(number: int | float) -> Iterator[Any]:  # noqa: PYI041 - told apart below
    for plainer in _SIMPLE_NUMBERS:
        if plainer == number:
            return
        yield plainer
    if isinstance(number, float):
        rounded = round(number)
        if abs(number) < 1e15 and rounded != number:
            yield rounded
        if round(number, 2) != number:
            yield round(number, 2)
    elif abs(number) > 20:
        yield number // 2


def _with_fewer_items(items: list[Any]) -> Iterator[list[Any]]:
    if len(items) > 2:
        yield items[: len(items) // 2]
    for index in range(len(items)):
        yield [*items[:index], *items[index + 1 :]]
