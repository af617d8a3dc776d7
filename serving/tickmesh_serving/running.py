"""From a process that was put together to an exit code: the loop, the signals, the last way out."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING

import structlog
import uvloop

from tickmesh.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_serving.server import ServiceProcess

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.server")

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_CONFIG = 78

_PARENT_CHECK_SECONDS = 1.0
_COLLECT_AFTER = (10_000, 20, 20)
"""New objects before a collection, and collections of one generation before one of the next."""


def run(process_factory: Callable[[], ServiceProcess]) -> int:
    """Serve until SIGTERM or Ctrl-C; a second signal ends at once.

    Args:
        process_factory: puts the server together; called on the event loop.

    Returns:
        0 after a clean stop, 78 after a ConfigError and 69 after an UnavailableError (printed), 1
        after another failure (logged).
    """
    _allow_open_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(process_factory))


def _allow_open_files() -> None:
    """As many as the system lets: streams and mapped segments are bounded by settings of ours.

    The usual 1,024 is there for programs that call `select`, and none of ours does.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(process_factory: Callable[[], ServiceProcess]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop)
    watches: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
    try:
        process = process_factory()
        if process.config.parent_process:
            watches.add(loop.create_task(_stop_when_orphaned(process.config.parent_process, stop)))
        if not await _start(process, stop):
            return EXIT_OK
    except (ConfigError, UnavailableError) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001 - the last stop before the exit code
        _log.exception("server.start.failed")
        return EXIT_FAILURE
    _settle_memory()
    await stop.wait()
    if not await process.stop():
        _leave(EXIT_OK)
    return EXIT_OK


def _settle_memory() -> None:
    """Let collections of cyclic garbage, which stop everything, be rare and short.

    What is there by now lives as long as the process, so none need look at it again. Caches of
    parsed schemas grow by hundreds of objects each; at Python's own threshold of 700 a server that
    registers spends a sixth of its time on collections.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


async def _stop_when_orphaned(parent: int, stop: asyncio.Event) -> None:
    """Nobody would ever stop the services of a supervisor that was killed.

    Which process that was is told by its setting: it may be gone before this one looks.
    """
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells of a parent's death
        await asyncio.sleep(_PARENT_CHECK_SECONDS)
    _log.warning("server.parent_gone", parent=parent)
    stop.set()


async def _start(process: ServiceProcess, stop: asyncio.Event) -> bool:
    """Start the process; a signal in the meantime gives it up. Return whether it serves."""
    starting = asyncio.ensure_future(process.start())
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        waiting.cancel()
        await starting
        return True
    starting.cancel()
    await asyncio.wait({starting})
    return False


def _on_signal(stop: asyncio.Event) -> None:
    if stop.is_set():
        _log.warning("server.stopped_at_once")
        _leave(EXIT_FAILURE)
    stop.set()


def _leave(code: int) -> None:
    """Leave although threads hang in C++, where no Python exit would ever come to an end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
