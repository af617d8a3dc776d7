"""Follow a dataset live, and go on where the last run ended: no row is missed, none comes twice.

Start a mesh first: `tickmesh up`. Arguments: the dataset, and a file that keeps the position.
Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tickmesh import TickClient


def main(dataset: str, position_file: Path) -> None:
    """Print a line a batch; remember the position once the batch is handled."""
    after = position_file.read_text() if position_file.exists() else None
    with TickClient() as ticks, ticks.tail(dataset, after=after) as tail:
        for piece in tail:
            rows = piece.batch.num_rows
            (last,) = piece.batch.select(["symbol", "price", "size"]).slice(rows - 1).to_pylist()
            print(f"rows: {rows}, the last: {last}", flush=True)
            replacement = position_file.with_suffix(".new")
            replacement.write_text(piece.position)
            replacement.replace(position_file)  # whole or not at all


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(0)
