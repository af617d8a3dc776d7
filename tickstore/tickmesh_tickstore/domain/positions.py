"""Places in a dataset's arrival order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tickmesh_tickstore.domain.errors import InvalidArgumentError

__all__ = ["START", "Position", "position_token"]

_TOKEN = re.compile(r"(\d{1,19})\.(\d{1,19})")


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A cut in arrival order: everything before row `row` of dataset revision `revision`.

    Positions order like the rows they point between; the end of revision `r` is
    `Position(r + 1, 0)`.

    Attributes:
        revision: Dataset revision of the next row.
        row: Rows of that revision that lie before the cut.
    """

    revision: int
    row: int = 0

    def token(self) -> str:
        """The position as text that `parse` takes back."""
        return f"{self.revision}.{self.row}"

    @classmethod
    def parse(cls, token: str) -> Position:
        """Read a token.

        Raises:
            InvalidArgumentError: The text is not a position.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise InvalidArgumentError(
                "expected a position like '12.0', got something else: "
                "use a token this store gave out"
            )
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def after_revision(cls, revision: int) -> Position:
        """The cut behind every row of `revision`."""
        return cls(revision + 1, 0)


START = Position(0, 0)
"""Before the first row."""


def position_token(dataset_id: str, position: Position) -> str:
    """A position as text that only this very dataset takes back."""
    return f"{dataset_id}:{position.token()}"
