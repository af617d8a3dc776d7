"""How many rows the tick store holds, asked of the tick store itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh._ticks.commands import read_command
from tickmesh._ticks.reading import stream_batches
from tickmesh.errors import DeadlineExceededError, NotFoundError, UnavailableError
from tickmesh_cleaner.domain.errors import TickStoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tickmesh._ticks.connection import TickConnection

_PRODUCER_STAMP = "_producer_id"
_SEQUENCE_STAMP = "_sequence"


class TickStoreRows:
    """Counts rows by scanning the stamps each of them carries."""

    def __init__(self, connection: TickConnection) -> None:
        self._connection = connection

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        """The rows of producers by sequence; see `RowCounter.rows_by_sequence`."""
        counted: dict[str, Counter[int]] = {}
        wanted = pa.array(producer_ids, pa.string())
        command = read_command(dataset, stamps=True)
        try:
            for batch in stream_batches(self._connection, command):
                producers = batch.column(_PRODUCER_STAMP).cast(pa.string())
                own = pc.is_in(producers, value_set=wanted)
                stamps = pa.table(
                    [producers.filter(own), batch.column(_SEQUENCE_STAMP).filter(own)],
                    names=["producer", "sequence"],
                )
                found = stamps.group_by(["producer", "sequence"]).aggregate([([], "count_all")])
                for row in found.to_pylist():
                    of_producer = counted.setdefault(row["producer"], Counter())
                    of_producer[row["sequence"]] += row["count_all"]
        except NotFoundError:
            return counted
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error
        return counted
