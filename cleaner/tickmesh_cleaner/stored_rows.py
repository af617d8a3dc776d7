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
    from tickmesh._ticks.connection import TickConnection

_PRODUCER_STAMP = "_producer_id"
_SEQUENCE_STAMP = "_sequence"


class TickStoreRows:
    """Counts rows by scanning the stamps each of them carries."""

    def __init__(self, connection: TickConnection) -> None:
        self._connection = connection

    def rows_by_sequence(self, dataset: str, producer_id: str) -> Counter[int]:
        """A producer's rows by sequence; see `RowCounter.rows_by_sequence`."""
        counted: Counter[int] = Counter()
        command = read_command(dataset, stamps=True)
        try:
            for batch in stream_batches(self._connection, command):
                producers = batch.column(_PRODUCER_STAMP).cast(pa.string())
                own = pc.equal(producers, pa.scalar(producer_id))
                sequences = batch.column(_SEQUENCE_STAMP).filter(own)
                for pair in pc.value_counts(sequences):
                    counted[pair["values"].as_py()] += pair["counts"].as_py()
        except NotFoundError:
            return counted
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error
        return counted
