"""`python -m tests.chaos`: a run, the mutation gate, or a saved history judged again."""

from __future__ import annotations

import asyncio
import sys

import click

from tests.chaos import gate


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


if __name__ == "__main__":
    main()
