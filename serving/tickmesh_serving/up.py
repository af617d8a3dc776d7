"""`tickmesh up`: registry, tick store and cleaner on this machine, from nothing, supervised."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh.config import home_directory
from tickmesh.errors import TickmeshError
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from types import FrameType

    from tickmesh_serving.supervision import ServiceStatus

__all__ = ["Mesh", "command"]


@click.command("up")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Home of the mesh; $TICKMESH_HOME, else ~/.local/share/tickmesh.",
)
@click.option(
    "--free-ports",
    is_flag=True,
    help="Let every listener take any free port; --ready-file tells which.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any key of a service, as in registry.serving.grpc_port=0; repeatable.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write pid and addresses here once the whole mesh serves.",
)
def command(
    *, data: Path | None, free_ports: bool, settings: tuple[str, ...], ready_file: Path | None
) -> None:
    """Run the whole mesh until Ctrl-C or SIGTERM.

    Services that die are restarted; after five deaths of one in a minute the mesh gives up.
    Logs are in HOME/logs. A second Ctrl-C ends everything at once.
    """
    home = home_directory(data)
    lock = threading.Lock()

    def report(status: ServiceStatus) -> None:
        with lock:
            click.echo(f"{status.name:<10}{status.state:<12}{status.detail}".rstrip())

    try:
        mesh = Mesh(home, settings=_pairs(settings), free_ports=free_ports, report=report)
    except TickmeshError as error:
        _exit_with(error)
    signals = _StopSignals(mesh)
    failure = None
    try:
        mesh.start()
        _write_ready_file(ready_file, mesh)
        click.echo(f"mesh      ready       home {home}; Ctrl-C stops it")
        if not free_ports:
            click.echo("next, in another terminal: tickmesh schema list")
        failure = mesh.wait()
    except TickmeshError as error:
        _exit_with(error)
    except KeyboardInterrupt:
        pass
    signals.arm_second()
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    mesh.stop()
    if failure is not None:
        click.echo(f"error: gave up on {failure.name}: {failure.detail}", err=True)
        sys.exit(failure.exit_code)


def _pairs(settings: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise click.UsageError(f"expected --set KEY=VALUE, was {setting!r}")
        pairs[key] = value
    return pairs


class _StopSignals:
    """First signal: stop in order. Second: end everything at once."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._stopping = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def arm_second(self) -> None:
        """The mesh is stopping, whatever the reason: the next signal counts as the second."""
        self._stopping = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            self._mesh.kill()
            os._exit(1)
        self._stopping = True
        raise KeyboardInterrupt


def _write_ready_file(path: Path | None, mesh: Mesh) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "addresses": mesh.addresses,
                "client_environment": mesh.client_environment,
            }
        )
        + "\n",
        encoding="utf-8",
    )
    partial.replace(path)


def _exit_with(error: TickmeshError) -> None:
    click.echo(f"error: {error}", err=True)
    sys.exit(error.exit_code)
