"""A part of a dataset, for queries that read several."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from tickmesh._ticks.commands import read_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh._ticks.filters import Filter
    from tickmesh._ticks.time_arguments import Instant, TimeZone
    from tickmesh.api.tickstore.v1 import commands_pb2


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a dataset: one side of an as-of join, or a table of a SQL statement.

    Attributes:
        dataset: The dataset; the others choose rows and columns as in `TickClient.read`.
    """

    dataset: str
    _: KW_ONLY
    start: Instant | None = None
    end: Instant | None = None
    symbols: Sequence[str] | str | None = None
    columns: Sequence[str] | str | None = None
    where: Filter | str | None = None
    tz: TimeZone | None = None
    as_of: int | None = None
    snapshot: str | None = None
    version: int | None = None

    def command(self) -> commands_pb2.ReadCommand:
        """What it asks to read.

        Raises:
            InvalidArgumentError: as for `TickClient.read`.
        """
        return read_command(
            self.dataset,
            start=self.start,
            end=self.end,
            symbols=self.symbols,
            columns=self.columns,
            where=self.where,
            tz=self.tz,
            as_of=self.as_of,
            snapshot=self.snapshot,
            version=self.version,
        )
