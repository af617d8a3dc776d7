"""`python -m tests.chaos`: a run, the mutation gate, or a saved history judged again."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos import gate
from tests.chaos.run import Report, Settings, judge_again, run

_SHOWN = 40


@click.group()
def main() -> None:
    """The robustness harness of the registry."""


@main.command("gate")
@click.argument("mutants", nargs=-1)
def run_gate(mutants: tuple[str, ...]) -> None:
    """Seed every known bug, or those named, and see that each is caught."""
    outcomes = asyncio.run(gate.run_gate(mutants))
    click.echo(gate.summary(outcomes))
    sys.exit(0 if all(outcome.ok for outcome in outcomes) else 1)


@main.command("run")
@click.option("--seconds", type=float, envvar="CHAOS_SECONDS", default=30.0, show_default=True)
@click.option("--seed", default="", envvar="CHAOS_SEED", help="Drawn when none is given.")
@click.option("--watchers", type=click.IntRange(8, 32), default=16, show_default=True)
@click.option(
    "--store", type=click.Choice(["sqlite", "postgres"]), envvar="CHAOS_STORE", default="sqlite"
)
@click.option("--replicas", type=click.IntRange(1, 5), help="3 on PostgreSQL; 1 on SQLite.")
@click.option("--keep", is_flag=True, help="Keep history and logs of a good run too.")
def run_chaos(
    seconds: float, seed: str, watchers: int, store: str, replicas: int | None, keep: bool
) -> None:
    """Break a registry for a while and judge what its clients saw."""
    number = int(seed) if seed else random.SystemRandom().randrange(1 << 31)
    again = f"make chaos CHAOS_SEED={number} CHAOS_SECONDS={seconds:g} CHAOS_STORE={store}"
    click.echo(f"seed {number}: {again}")
    home = Path(tempfile.mkdtemp(prefix=f"tickmesh-chaos-{number}-"))
    settings = Settings(
        seconds=seconds,
        seed=number,
        watchers=watchers,
        replicas=replicas or (1 if store == "sqlite" else 3),
        store=store,
    )
    report = asyncio.run(run(settings, home))
    _tell(report)
    if report.ok and not keep:
        shutil.rmtree(home)
        return
    click.echo(f"history, log and server logs: {home}")
    click.echo(f"judge them again: python -m tests.chaos judge {home}")
    sys.exit(0 if report.ok else 1)


@main.command("judge")
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
def judge_saved(home: Path) -> None:
    """Judge a saved run again."""
    _tell(judge_again(home, Settings(seconds=0, seed=0)))


def _tell(report: Report) -> None:
    for violation in report.violations[:_SHOWN]:
        click.echo(f"{violation.promise} {violation.where}: {violation.text}")
    click.echo(report.summary())


if __name__ == "__main__":
    main()
