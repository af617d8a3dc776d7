"""The HTTP port: metrics for Prometheus, liveness and readiness for whoever runs the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from tickmesh_serving.health import OVERALL, HealthServicer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class HttpListener:
    """Serves `/metrics`, `/live` and `/ready` on the event loop of the process."""

    def __init__(self, health: HealthServicer, metrics: CollectorRegistry) -> None:
        self._health = health
        self._metrics = metrics
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._serve_metrics),
                web.get("/live", self._serve_live),
                web.get("/ready", self._serve_ready),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port.

        Raises:
            OSError: the address cannot be listened on.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_port=False).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Stop listening and close connections."""
        await self._runner.cleanup()

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._metrics), headers={"Content-Type": content_type})

    async def _serve_live(self, _request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _serve_ready(self, _request: web.Request) -> web.Response:
        """200 when every service of the process serves, else 503; the body names each one."""
        states = self._health.states
        body = {
            name or "process": "SERVING" if serving else "NOT_SERVING"
            for name, serving in states.items()
        }
        ready = states[OVERALL] and all(states.values())
        return web.json_response(body, status=200 if ready else 503)
