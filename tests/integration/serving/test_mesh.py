"""`tickmesh up` and the `Mesh` behind it: order, restarts, giving up, clean ends."""

from __future__ import annotations

import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.serving.conftest import ROOT, child_environment
from tests.integration.serving.sample_mesh import sample_command
from tickmesh.config import load_client_config
from tickmesh.errors import ConfigError, UnavailableError
from tickmesh_serving.mesh import Mesh
from tickmesh_serving.supervision import MAX_FAILURES, ServiceStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

pytestmark = pytest.mark.integration


class Reports:
    """What the mesh reported, to wait on and to look back at."""

    def __init__(self) -> None:
        self.seen: list[ServiceStatus] = []
        self._queue: queue.Queue[ServiceStatus] = queue.Queue()

    def __call__(self, status: ServiceStatus) -> None:
        self.seen.append(status)
        self._queue.put(status)

    def wait_for(self, name: str, state: str) -> ServiceStatus:
        while True:
            status = self._queue.get(timeout=200)
            if (status.name, status.state) == (name, state):
                return status

    def of(self, state: str) -> list[str]:
        return [status.name for status in self.seen if status.state == state]


def make_mesh(
    home: Path,
    *,
    reports: Reports | None = None,
    settings: Mapping[str, str] | None = None,
    services: Sequence[str] = ("registry", "tickstore", "cleaner"),
) -> Mesh:
    return Mesh(
        home,
        settings=settings,
        free_ports=True,
        services=services,
        command=sample_command,
        environment=child_environment(),
        report=reports or Reports(),
    )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_services_start_in_order_know_each_other_and_stop_in_reverse(tmp_path: Path) -> None:
    reports = Reports()
    with make_mesh(tmp_path, reports=reports) as mesh:
        assert reports.of("ready") == ["registry", "tickstore", "cleaner"]
        config = load_client_config(home=tmp_path, environ=mesh.client_environment)
        assert config.registry == mesh.addresses["registry"]["grpc"]
        assert config.tickstore_flight == mesh.addresses["tickstore"]["flight"]
        pids = [mesh.pid(name) for name in ("registry", "tickstore", "cleaner")]
        assert all(pid is not None and alive(pid) for pid in pids)
    assert reports.of("stopped") == ["cleaner", "tickstore", "registry"]
    assert not any(pid is not None and alive(pid) for pid in pids)


def test_a_service_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = min(usual, 1_024, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    try:
        with make_mesh(tmp_path, reports=Reports(), services=("registry",)) as mesh:
            pid = mesh.pid("registry")
            assert pid is not None
            assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


class Others(Reports):
    """Somebody who wants the ports of a service that is away."""

    def __init__(self, ports: list[int]) -> None:
        super().__init__()
        self._ports = ports
        self.refused: list[int] = []

    def __call__(self, status: ServiceStatus) -> None:
        if status.state == "restarting":
            for port in self._ports:
                with socket.socket() as other:
                    try:
                        other.bind(("127.0.0.1", port))
                    except OSError:
                        self.refused.append(port)
        super().__call__(status)


def test_killed_service_comes_back_at_the_ports_it_had(tmp_path: Path) -> None:
    ports: list[int] = []
    reports = Others(ports)
    with make_mesh(tmp_path, reports=reports, services=("tickstore",)) as mesh:
        before, pid = dict(mesh.addresses["tickstore"]), mesh.pid("tickstore")
        ports += [int(address.rpartition(":")[2]) for address in before.values()]
        reports.wait_for("tickstore", "ready")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert "exit code -9" in reports.wait_for("tickstore", "restarting").detail
        reports.wait_for("tickstore", "ready")
        assert mesh.addresses["tickstore"] == before
        assert mesh.pid("tickstore") != pid
    assert reports.refused == ports
    assert len(set(ports)) == 3


def test_service_that_dies_five_times_in_a_minute_is_given_up_and_the_others_stop(
    tmp_path: Path,
) -> None:
    reports = Reports()
    mesh = make_mesh(
        tmp_path,
        reports=reports,
        settings={"tickstore.fail_at_start": "true"},
        services=("registry", "tickstore"),
    )
    with pytest.raises(UnavailableError, match="tickstore cannot be started: exit code 1"):
        mesh.start()
    assert reports.of("starting").count("tickstore") == MAX_FAILURES
    assert reports.of("failed") == ["tickstore"]
    assert reports.of("stopped") == ["registry"]
    assert mesh.pid("registry") is None


def test_wrong_settings_are_not_tried_twice(tmp_path: Path) -> None:
    reports = Reports()
    mesh = make_mesh(
        tmp_path,
        reports=reports,
        settings={"registry.serving.grpc_prot": "0"},
        services=("registry",),
    )
    with pytest.raises(ConfigError, match=r"did you mean serving\.grpc_port\?"):
        mesh.start()
    assert reports.of("starting") == ["registry"]
    with pytest.raises(ConfigError, match="expected a key"):
        make_mesh(tmp_path, settings={"registri.serving.grpc_port": "0"})


def run_up(home: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.serving.sample_mesh"),
            *(f"--data={home}", "--free-ports", f"--ready-file={home / 'mesh.json'}"),
            *options,
        ],
        env=child_environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def service_pids(home: Path) -> list[int]:
    return [
        json.loads(path.read_text(encoding="utf-8"))["pid"]
        for path in sorted((home / "run").glob("*.json"))
    ]


def until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("mesh      ready"):
            return
    pytest.fail("the mesh was never ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_says_where_it_listens_and_one_signal_ends_it_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = run_up(tmp_path)
    until_ready(process)
    ready = json.loads((tmp_path / "mesh.json").read_text(encoding="utf-8"))
    assert ready["pid"] == process.pid
    assert set(ready["addresses"]) == {"registry", "tickstore", "cleaner"}
    pids = service_pids(tmp_path)
    assert len(pids) == 3
    process.send_signal(number)
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert "Traceback" not in output
    assert not any(alive(pid) for pid in pids)
    assert not (tmp_path / "mesh.json").exists()


def test_up_exits_78_when_settings_are_wrong_and_says_which(tmp_path: Path) -> None:
    process = run_up(tmp_path, "--set=cleaner.serving.htp_port=0")
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 78
    assert "did you mean serving.http_port?" in output
    assert service_pids(tmp_path) == []


def test_services_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    process = run_up(tmp_path)
    until_ready(process)
    pids = service_pids(tmp_path)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 200
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
