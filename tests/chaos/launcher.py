"""A registry process with an authorizer that changes its mind, and with a bug or a condition.

`python -m tests.chaos.launcher [--mutant NAME] [--condition NAME] serve …`: what stands before
`serve` is for the harness, the rest is the registry's own command line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.chaos.conditions import CONDITIONS
from tests.chaos.mutants import MUTANTS
from tests.chaos.stalls import note_server_stalls
from tickmesh_registry.app import build_registry
from tickmesh_registry.config import RegistryConfig
from tickmesh_serving.command import service_command

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Change
    from tickmesh_serving.principal import Principal
    from tickmesh_serving.server import ServiceProcess

HIDDEN_FILE = "TICKMESH_CHAOS_HIDDEN"
"""Names the file that says which subjects are hidden: a JSON list of prefixes."""
STALLS_FILE = "TICKMESH_CHAOS_STALLS"
"""Names the file in which the process notes when it stood still."""


class HidingAuthorizer:
    """Hides the subjects that a file names; the file is asked again for every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] = (0, 0)
        self._prefixes: tuple[str, ...] = ()

    def __call__(self, principal: Principal, change: Change) -> bool:
        """Say whether the subject is visible now."""
        state = self._path.stat()
        stamp = (state.st_mtime_ns, state.st_ino)
        if stamp != self._read_at:
            self._prefixes = tuple(json.loads(self._path.read_text()))
            self._read_at = stamp
        return not (self._prefixes and change.subject.startswith(self._prefixes))


def _process(config: RegistryConfig, home: Path) -> ServiceProcess:
    return build_registry(
        config, home=home, may_see=HidingAuthorizer(Path(os.environ[HIDDEN_FILE]))
    )


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--mutant", type=click.Choice(sorted(MUTANTS)))
@click.option("--condition", "conditions", type=click.Choice(sorted(CONDITIONS)), multiple=True)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def main(mutant: str | None, conditions: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """Serve a registry for the harness."""
    note_server_stalls(Path(os.environ[STALLS_FILE]))
    for condition in conditions:
        CONDITIONS[condition]()
    if mutant is not None:
        MUTANTS[mutant].seed()
    serve = service_command(
        "registry",
        config_class=RegistryConfig,
        process_factory=_process,
        help="The registry of the harness.",
    )
    sys.exit(serve.main(list(arguments), standalone_mode=True))


if __name__ == "__main__":
    main()
