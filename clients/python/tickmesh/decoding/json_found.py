"""What reading JSON texts found: columns, and everything that is not in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.arrow import Array

MAX_EXTRA_NAMES: Final = 1_000
OTHER_EXTRAS: Final = "(others)"


@dataclass(slots=True)
class JsonColumns:
    """Columns read from JSON texts, one row a text.

    Attributes:
        columns: Column by path; null where absent, null or failed.
        rejects: Texts that are no records: (row, code, message).
        failures: By path, values not of the wanted type: (row, code, JSON text).
        coercions: How many values were changed to fit, by path and code.
        extras: Values under paths that are not read, by dotted path.
        extra_rows: Rows that have such values.
    """

    columns: dict[str, Array]
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    failures: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    coercions: Counter[tuple[str, str]] = field(default_factory=Counter)
    extras: Counter[str] = field(default_factory=Counter)
    extra_rows: set[int] = field(default_factory=set)

    def note_extra(self, path: str, rows: Sequence[int], *, locate: bool) -> None:
        """Count values under a path that is not read; remember their rows if that is asked for."""
        known = path in self.extras or len(self.extras) < MAX_EXTRA_NAMES
        self.extras[path if known else OTHER_EXTRAS] += len(rows)
        if locate:
            self.extra_rows.update(rows)
