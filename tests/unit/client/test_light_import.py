"""The client library stays light: analysts import it in every notebook."""

from __future__ import annotations

import json
import subprocess
import sys

SERVER_ONLY = (
    "sqlalchemy",
    "alembic",
    "aiohttp",
    "prometheus_client",
    "opentelemetry.sdk",
    "structlog",
    "uvloop",
)

_PROBE = """
import importlib, json, pkgutil, sys
import tickmesh
at_import = set(sys.modules)
for module in pkgutil.walk_packages(tickmesh.__path__, "tickmesh."):
    if module.name != "tickmesh.__main__":
        importlib.import_module(module.name)
print(json.dumps({"at_import": sorted(at_import), "in_all": sorted(sys.modules)}))
"""


def test_no_client_module_loads_server_dependencies_and_the_package_loads_no_arrow() -> None:
    """`import tickmesh` loads neither pyarrow nor grpc; no module of it needs the server extra."""
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True
    )
    loaded = json.loads(probe.stdout)

    assert [name for name in SERVER_ONLY if name in loaded["in_all"]] == []
    assert [name for name in ("pyarrow", "grpc", "numpy") if name in loaded["at_import"]] == []
    assert [name for name in loaded["in_all"] if name.startswith("tickmesh_")] == []
