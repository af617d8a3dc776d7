"""The one error of the schema core."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def pointer_of(path: Iterable[object]) -> str:
    """Return the JSON Pointer (RFC 6901) of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


_LONGEST_MESSAGE = 1000


class SchemaError(ValueError):
    """A schema, or a question about schemas, that cannot be taken as it is.

    Attributes:
        reason: Stable upper-case code, for example ``DUPLICATE_KEY``.
        pointer: JSON Pointer to the place in the schema text; empty for the whole document.
        message: What was expected, what came and how to mend it.
    """

    def __init__(self, reason: str, message: str, *, pointer: str = "") -> None:
        self.reason = reason
        self.pointer = pointer
        if len(message) > _LONGEST_MESSAGE:
            message = message[:_LONGEST_MESSAGE] + "…"
        self.message = message
        super().__init__(f"{message} (at {pointer or 'the root'}, {reason})")

    @property
    def metadata(self) -> Mapping[str, str]:
        """The values a machine may want: the pointer and the detailed reason."""
        return {"pointer": self.pointer, "detail": self.reason}
