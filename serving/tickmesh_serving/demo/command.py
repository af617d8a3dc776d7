"""`tickmesh demo`: from nothing to a balance, on generated ticks."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click

from tickmesh.errors import InternalError
from tickmesh_serving.demo.scenario import SUBJECT, Scenario
from tickmesh_serving.mesh import Mesh

DEFAULT_ROWS = 600_000
DEFAULT_SEED = 20261120


@click.command("demo")
@click.option(
    "--rows",
    type=click.IntRange(min=1_000),
    default=DEFAULT_ROWS,
    show_default=True,
    help="How many trades to generate.",
)
@click.option(
    "--seed",
    type=int,
    default=DEFAULT_SEED,
    show_default=True,
    help="Of the generator: the same seed gives the same trades.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="A fresh home to keep; a temporary one if absent.",
)
def command(*, rows: int, seed: int, data: Path | None) -> int:
    """Run the mesh on generated ticks: bad rows, schema changes, a replay, and the balance.

    The last line is one JSON object; its numbers are read back from the stores.
    """
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        return _play(data, rows=rows, seed=seed)
    with tempfile.TemporaryDirectory(prefix="tickmesh-demo-") as home:
        return _play(Path(home), rows=rows, seed=seed)


def _play(home: Path, *, rows: int, seed: int) -> int:
    began = time.monotonic()
    sessions = home / "sessions"
    sessions.mkdir(exist_ok=True)
    settings = {"cleaner.sources.roots": str(sessions)}
    with Mesh(home, settings=settings, free_ports=True) as mesh:
        click.echo(f"registry, tick store and cleaner are up ({time.monotonic() - began:.1f} s)")
        scenario = Scenario(mesh.addresses, say=click.echo)
        try:
            account = scenario.run(sessions, rows=rows, seed=seed)
        finally:
            scenario.close()
    click.echo(
        f"  {account.rows_in:,} rows in = {account.stored:,} stored + "
        f"{account.quarantined:,} quarantined + {account.duplicates:,} duplicates"
    )
    if not account.holds:
        raise InternalError("the balance does not hold")
    click.echo(f"done in {time.monotonic() - began:.1f} s")
    click.echo("")
    click.echo("next, with a mesh of your own:")
    click.echo("  tickmesh up                        # in a terminal of its own")
    click.echo("  tickmesh schema infer FILE         # guess schema and source spec of your data")
    click.echo(f"  tickmesh clean FILE --subject {SUBJECT}")
    click.echo(json.dumps({"demo": "ok", **asdict(account)}))
    return 0
