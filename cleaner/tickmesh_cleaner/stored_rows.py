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

REVISION_STAMP = "_dataset_revision"


class TickStoreRows:
    """Counts rows by scanning the stamp each of them carries."""

    def __init__(self, connection: TickConnection) -> None:
        self._connection = connection

    def rows_by_revision(self, dataset: str) -> Counter[int]:
        """Rows by dataset revision; see `RowCounter.rows_by_revision`."""
        counted: Counter[int] = Counter()
        command = read_command(dataset, stamps=True)
        try:
            for batch in stream_batches(self._connection, command):
                revisions = batch.column(REVISION_STAMP)
                for pair in pc.value_counts(revisions.cast(pa.int64())):
                    counted[pair["values"].as_py()] += pair["counts"].as_py()
        except NotFoundError:
            return counted
        except (UnavailableError, DeadlineExceededError) as error:
            raise TickStoreUnavailableError(error.message) from error
        return counted
