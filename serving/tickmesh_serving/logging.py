"""Structured logs on standard error: JSON for machines, columns for a terminal.

Events are named `room.thing.happened`; the id and principal of the call being served are added to
every line that is written while it is served.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import structlog

from tickmesh_serving.call_context import current_call_or_none

if TYPE_CHECKING:
    from collections.abc import MutableMapping


@dataclass(frozen=True)
class LoggingConfig:
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious level that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere."""


def configure_logging(config: LoggingConfig, *, service: str) -> None:
    """Send structlog's and the standard library's logs to standard error, in one form."""
    console = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_call,
        _adder_of_service(service),
    ]
    renderer: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                # Rich tracebacks print local variables, and with them rows and secrets.
                exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    level = getattr(logging, config.level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _add_call(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    call = current_call_or_none()
    if call is not None:
        event.setdefault("request_id", call.request_id)
        event.setdefault("principal", call.principal.name)
    return event


def _adder_of_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        event["service"] = service
        return event

    return add
