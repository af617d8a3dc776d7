"""Places in the numbering of a producer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class PutPosition:
    """A place between two rows that a producer put.

    Attributes:
        sequence: The batch it lies in, from 1; the next one when the batch before is over.
        row: The row of that batch it lies before.
        rows_before: All rows the producer put before it: what quarantined rows give as offset.
    """

    sequence: int = 1
    row: int = 0
    rows_before: int = 0

    def token(self) -> str:
        """The position as short text."""
        return f"{self.sequence}.{self.row}.{self.rows_before}"

    @classmethod
    def parse(cls, token: str | None) -> PutPosition:
        """Read what `token` wrote; the beginning when None."""
        if token is None:
            return cls()
        sequence, row, rows_before = token.split(".")
        return cls(int(sequence), int(row), int(rows_before))

    @property
    def through_sequence(self) -> int:
        """The last batch that lies before it as a whole."""
        return self.sequence - 1
