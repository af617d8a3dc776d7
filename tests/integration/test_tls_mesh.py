"""A whole mesh behind mutual TLS: services among themselves, clients and the command line."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tests.support.certificates import CLEANER, CLIENT, write_certificates
from tests.support.frozen import freeze
from tests.support.governed_ticks import trades, trades_schema
from tests.support.origins import stored_origins
from tickmesh._wire.credentials import ClientCredentials, credentials_of
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.cleaning import CleanerClient
from tickmesh.config import ClientConfig, TlsFiles, load_client_config
from tickmesh.errors import UnavailableError
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import SERVICES, Mesh, serve_command
from tickmesh_tickstore.domain.stamps import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"


@dataclass(frozen=True)
class TlsMesh:
    """A mesh that serves mutual TLS, and what its clients need."""

    mesh: Mesh
    config: ClientConfig

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line against the mesh; its credentials come from tickmesh.toml."""
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.run(
            [sys.executable, "-m", "tickmesh", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": path,
                **self.mesh.client_environment,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def answer(self, *arguments: str) -> Any:
        """What the command line answers, as JSON."""
        done = self.run(*arguments, "--output=json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsMesh]:
    home = tmp_path_factory.mktemp("home")
    files = write_certificates(tmp_path_factory.mktemp("certificates"))
    serving = {
        f"{service}.serving.tls.{key}": str(files / name)
        for service in SERVICES
        for key, name in {
            "certificate": "server.pem",
            "private_key": "server.key",
            "client_roots": "ca.pem",
        }.items()
    }
    (home / "tickmesh.toml").write_text(
        "[client.tls]\n"
        f'root_certificates = "{files / "ca.pem"}"\n'
        f'certificate = "{files / "client.pem"}"\n'
        f'private_key = "{files / "client.key"}"\n',
        encoding="utf-8",
    )

    def command(service: str, home: Path) -> Sequence[str]:
        """The cleaner shows a certificate of its own: its environment names it."""
        names = {"CERTIFICATE": "cleaner.pem", "PRIVATE_KEY": "cleaner.key"}
        own = [f"TICKMESH_CLIENT__TLS__{key}={files / name}" for key, name in names.items()]
        return ["env", *(own if service == "cleaner" else []), *serve_command(service, home)]

    with Mesh(home, free_ports=True, settings=serving, command=command) as mesh:
        config = load_client_config(home=home, environ=mesh.client_environment)
        with RegistryClient(config=config) as registry:
            registry.register(SUBJECT, trades_schema())
        yield TlsMesh(mesh, config)


def test_the_command_line_puts_gets_and_cleans_over_tls(tls: TlsMesh, tmp_path: Path) -> None:
    subject = "ticks.by_command"
    schema = tmp_path / "trades.json"
    schema.write_text(trades_schema(), encoding="utf-8")
    registered = tls.run("schema", "register", subject, str(schema))
    assert registered.returncode == 0, registered.stderr
    assert subject in [each["subject"] for each in tls.answer("schema", "list")]
    rows = tmp_path / "rows.parquet"
    pq.write_table(trades(5), rows)
    put = tls.answer("ticks", "put", str(rows), "--subject", subject)
    assert put["rows"] == 5
    pq.write_table(trades(7, start_ns=1_000_000), rows)
    # The file is uploaded to the cleaner, which asks the registry and writes to the tick store,
    # under its own name on behalf of who made the job.
    cleaned = tls.run("clean", str(rows), "--subject", subject)
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    written = tmp_path / "tickstore"
    copy_at_an_instant(tls.mesh, written)
    assert stored_origins(written, subject) == {Origin(CLIENT), Origin(CLEANER, CLIENT)}
    got = tls.run("ticks", "get", subject, "--output=json")
    assert [json.loads(line)["size"] for line in got.stdout.splitlines()] == [*range(5), *range(7)]


def copy_at_an_instant(mesh: Mesh, copy: Path) -> None:
    """The tick store's files as a power cut would leave them: it seals and settles by itself."""
    pid = mesh.pid("tickstore")
    assert pid is not None
    freeze(pid)
    try:
        shutil.copytree(mesh.home / "tickstore", copy)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_principal_of_a_registration_is_the_name_the_certificate_proves(tls: TlsMesh) -> None:
    with RegistryClient(config=tls.config) as registry:
        actor = registry.get(SUBJECT, version=1).actor
    assert (actor.principal, actor.authentication) == (CLIENT, "certificate")


async def test_credentials_are_arguments_of_every_client(tls: TlsMesh) -> None:
    """Settings without any; TLS files and a token provider are passed in, and are used."""
    asked: list[str] = []

    def token() -> str:
        asked.append("token")
        return "a-token"

    shown = ClientCredentials(tls=tls.config.tls, token_provider=token)
    config = replace(tls.config, tls=TlsFiles())

    async with AsyncRegistryClient(config=config, credentials=shown) as registry:
        assert (await registry.latest(SUBJECT)).version == 1

    def use(client: Callable[[], object]) -> None:
        asked.clear()
        client()
        assert asked

    def blocking() -> None:
        with (
            RegistryClient(config=config, credentials=shown) as registry,
            CleanerClient(config=config, credentials=shown) as cleaner,
            TickClient(config=config, credentials=shown) as ticks,
        ):
            use(registry.subjects)
            use(cleaner.list_jobs)
            use(ticks.datasets)
            use(lambda: ticks.put(SUBJECT, trades(1, start_ns=9_000_000)))

    await asyncio.to_thread(blocking)


def test_the_token_comes_from_the_environment(tls: TlsMesh) -> None:
    config = load_client_config(
        home=tls.mesh.home,
        environ={**tls.mesh.client_environment, "TICKMESH_CLIENT__TOKEN": "secret"},
    )
    provider = credentials_of(config).token_provider
    assert provider is not None
    assert provider() == "secret"
    with RegistryClient(config=config) as registry:
        assert registry.subjects()


@pytest.mark.parametrize("server", ["registry", "cleaner", "tickstore", "flight"])
def test_plain_text_against_tls_is_told_with_the_setting_to_set(tls: TlsMesh, server: str) -> None:
    config = replace(tls.config, tls=TlsFiles())
    with (
        RegistryClient(config=config) as registry,
        CleanerClient(config=config) as cleaner,
        TickClient(config=config) as ticks,
    ):
        calls: Mapping[str, Callable[[], object]] = {
            "registry": registry.subjects,
            "cleaner": cleaner.list_jobs,
            "tickstore": ticks.datasets,
            "flight": lambda: ticks.read(SUBJECT),
        }
        with pytest.raises(UnavailableError, match=r"client\.tls\.root_certificates") as refused:
            calls[server]()
    assert refused.value.reason == "TLS_HANDSHAKE_FAILED"


def test_the_command_line_in_plain_text_says_what_to_set(tls: TlsMesh, tmp_path: Path) -> None:
    done = tls.run("schema", "list", TICKMESH_HOME=str(tmp_path))
    assert done.returncode != 0
    assert "client.tls.root_certificates" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_of_another_authority_is_not_trusted(tls: TlsMesh, tmp_path: Path) -> None:
    stranger = write_certificates(tmp_path)
    files = TlsFiles(
        root_certificates=stranger / "ca.pem",
        certificate=tls.config.tls.certificate,
        private_key=tls.config.tls.private_key,
    )
    with (
        RegistryClient(config=replace(tls.config, tls=files)) as registry,
        pytest.raises(UnavailableError, match="vouches") as refused,
    ):
        registry.subjects()
    assert refused.value.reason == "TLS_HANDSHAKE_FAILED"
