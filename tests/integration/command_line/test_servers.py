"""`up`, `serve` and the settings they run on, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh
    from tickmesh_serving.mesh import Mesh

pytestmark = pytest.mark.integration


def test_settings_are_shown_with_their_sources(tickmesh: Tickmesh, mesh: Mesh) -> None:
    rows = tickmesh("config show --output json").json
    found = {row["key"]: row for row in rows}
    assert found["client.registry"] == {
        "key": "client.registry",
        "value": mesh.addresses["registry"]["grpc"],
        "source": found["client.registry"]["source"],
    }
    assert "environment" in found["client.registry"]["source"]
    assert {key.partition(".")[0] for key in found} == {
        *("client", "registry", "cleaner", "tickstore"),
    }
    for service in ("registry", "cleaner", "tickstore"):
        own = tickmesh(f"{service} config --output json").json
        assert [row["key"] for row in own] == [
            key for key in found if key.startswith(f"{service}.")
        ]
    assert "tickmesh.toml (not there)" in tickmesh("config show").out


def test_versions_are_told(tickmesh: Tickmesh) -> None:
    assert set(tickmesh("version --output json").json) == {
        *("tickmesh", "pyarrow", "grpcio", "protobuf", "python"),
    }


@pytest.mark.parametrize("service", ["registry", "cleaner", "tickstore"])
def test_a_service_serves_alone_until_it_is_told_to_stop(
    service: str, mesh: Mesh, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.json"
    flight = "" if service == "registry" else "--flight-port 0"
    ports = f"--grpc-port 0 --http-port 0 {flight}"
    line = f"{service} serve --data {tmp_path} {ports} --log-format json --ready-file {ready}"
    with start(line, cwd=tmp_path, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        served = any("server.serving" in logged for logged in process.stdout)
        assert served
        assert json.loads(ready.read_text())["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_up_on_ports_in_use_is_exit_code_78_and_says_which(mesh: Mesh, tmp_path: Path) -> None:
    port = mesh.addresses["registry"]["grpc"].rpartition(":")[2]
    line = f"up --data {tmp_path} --free-ports --set registry.serving.grpc_port={port}"
    process = start(line, cwd=tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 78
    assert f"port {port} of 127.0.0.1 is in use" in err


def test_up_serves_until_ctrl_c(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with start(f"up --data {tmp_path} --free-ports --ready-file {ready}", cwd=tmp_path) as up:
        assert up.stdout is not None
        for line in up.stdout:
            if line.startswith("mesh"):
                break
        environment = json.loads(ready.read_text())["client_environment"]
        listed = subprocess.run(
            [sys.executable, "-m", "tickmesh", "schema", "list", "--output", "json"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert json.loads(listed.stdout) == []
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert not ready.exists()
