"""Equal numbers for equal JSON values of one document, each value looked at once."""

from __future__ import annotations

from typing import Any


class Identities:
    """Numbers values so that two are equal exactly when their numbers are.

    Nested values that hold each other many times over cost no more than their text: what is known
    of an object or a list is kept by its identity, so the document has to outlive this.
    """

    def __init__(self) -> None:
        """Begin without any value."""
        self._known: dict[int, int] = {}
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        """Return the number of a value; ``1`` and ``1.0`` are equal, ``1`` and ``true`` are not."""
        if not isinstance(value, (dict, list)):
            return self._number((type(value) is bool, "scalar", value))
        known = self._known.get(id(value))
        if known is None:
            content: Any
            if isinstance(value, dict):
                content = frozenset((key, self.of(member)) for key, member in value.items())
            else:
                content = ("list", *(self.of(member) for member in value))
            known = self._known[id(value)] = self._number(content)
        return known

    def _number(self, content: Any) -> int:
        return self._numbers.setdefault(content, len(self._numbers))
