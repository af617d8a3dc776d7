"""A service as a process: ports, signals, drain, exit codes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from pyarrow import flight

from tests.integration.serving.conftest import PROGRAM, ROOT, child_environment
from tests.integration.serving.sample_service import SCHEMA, SERVICE, acknowledged, build, one_row
from tickmesh._wire.status import error_from_rpc
from tickmesh.errors import ConfigError
from tickmesh_serving.config import ServingConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.serving.conftest import Child

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", ["grpc_port", "flight_port", "http_port"])
async def test_port_in_use_is_a_config_error_that_names_the_key(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = build(ServingConfig(**{kind: port}, drain_seconds=0.1))
        with pytest.raises(ConfigError) as caught:
            await server.start()
    assert caught.value.key == f"tickstore.serving.{kind}"
    assert f"port {port} of 127.0.0.1 is in use" in caught.value.message
    assert f"TICKMESH_TICKSTORE__SERVING__{kind.upper()}" in caught.value.message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_an_idle_server_at_once_and_cleanly(
    spawn: Callable[..., Child], number: signal.Signals, tmp_path: Path
) -> None:
    # Had it waited for its drain to be over, it would still be there.
    (tmp_path / "tickmesh.toml").write_text("[tickstore.serving]\ndrain_seconds = 600\n")
    child = spawn("--grpc-port=0", "--http-port=0")
    assert set(child.addresses) == {"grpc", "flight", "http"}
    child.process.send_signal(number)
    assert child.process.wait(120) == 0
    assert not (tmp_path / "tickstore.json").exists()


def test_drain_with_an_endless_stream_and_idle_puts_ends_within_its_deadline(
    spawn: Callable[..., Child], tmp_path: Path
) -> None:
    (tmp_path / "tickmesh.toml").write_text("[tickstore.serving]\ndrain_seconds = 2\n")
    # 2 s of drain; the rest is the way out, which a busy machine may lengthen now and then.
    assert any(seconds_of_a_busy_drain(spawn) < 10 for _ in range(3))


def seconds_of_a_busy_drain(spawn: Callable[..., Child]) -> float:
    """How long a server with streams that nobody ends takes to end."""
    child = spawn("--grpc-port=0", "--http-port=0", "--flight-port=0")
    codes: list[str] = []
    began = threading.Event()

    def follow() -> None:
        with grpc.insecure_channel(child.addresses["grpc"]) as channel:
            try:
                counting = channel.unary_stream(
                    f"/{SERVICE}/Count", request_serializer=bytes, response_deserializer=bytes
                )
                for _ in counting(b""):
                    began.set()
            except grpc.RpcError as error:
                codes.append(error_from_rpc(error).code)

    follower = threading.Thread(target=follow)
    follower.start()
    client = flight.connect(f"grpc://{child.addresses['flight']}")
    puts = [
        client.do_put(flight.FlightDescriptor.for_path(str(index)), SCHEMA) for index in range(20)
    ]
    for writer, reader in puts:
        writer.write_batch(one_row())
        assert acknowledged(reader)
    assert began.wait(60)

    start = time.monotonic()
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(60) == 0
    seconds = time.monotonic() - start
    follower.join(60)
    assert codes == ["UNAVAILABLE"]
    return seconds


def test_second_signal_ends_the_drain_at_once(spawn: Callable[..., Child], tmp_path: Path) -> None:
    (tmp_path / "tickmesh.toml").write_text("[tickstore.serving]\ndrain_seconds = 600\n")
    child = spawn("--grpc-port=0", "--http-port=0")
    client = flight.connect(f"grpc://{child.addresses['flight']}")
    writer, reader = client.do_put(flight.FlightDescriptor.for_path("x"), SCHEMA)
    writer.write_batch(one_row())
    assert acknowledged(reader)
    child.process.send_signal(signal.SIGINT)
    assert child.process.stderr is not None
    for line in child.process.stderr:
        if "server.draining" in line:
            break
    child.process.send_signal(signal.SIGINT)
    assert child.process.wait(120) == 1


def run_program(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments, f"--data={tmp_path}"],
        env=child_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_wrong_settings_exit_78_and_name_the_key(tmp_path: Path) -> None:
    (tmp_path / "tickmesh.toml").write_text("[tickstore.serving]\ngrpc_prot = 1\n")
    done = run_program(tmp_path, "tickstore", "serve")
    assert done.returncode == 78
    assert "tickstore.serving.grpc_prot" in done.stderr
    assert "did you mean serving.grpc_port?" in done.stderr


def test_failure_at_start_exits_1(tmp_path: Path) -> None:
    (tmp_path / "tickmesh.toml").write_text("[tickstore]\nfail_at_start = true\n")
    done = run_program(tmp_path, "tickstore", "serve", "--log-format=json")
    assert done.returncode == 1
    entry = json.loads(done.stderr.strip().splitlines()[-1])
    assert (entry["event"], entry["service"]) == ("server.start.failed", "tickstore")
    assert "told to fail" in entry["exception"]


def test_a_server_whose_parent_is_gone_before_it_looks_stops_by_itself(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as short_lived:
        parent = short_lived.pid
    (tmp_path / "tickmesh.toml").write_text(f"[tickstore.serving]\nparent_process = {parent}\n")
    done = run_program(tmp_path, "tickstore", "serve", "--log-format=json")
    assert done.returncode == 0, done.stderr
    assert "server.parent_gone" in done.stderr


def test_config_prints_every_setting_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "tickmesh.toml").write_text("[tickstore.serving]\nhttp_port = 1234\n")
    done = run_program(tmp_path, "tickstore", "config", "--output=json")
    settings = {item["key"]: item for item in json.loads(done.stdout)}
    assert settings["tickstore.serving.http_port"]["value"] == "1234"
    assert settings["tickstore.serving.http_port"]["source"].startswith("file ")
    assert settings["tickstore.serving.host"]["source"] == "default"
