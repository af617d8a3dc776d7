"""A PostgreSQL cluster of the tests' own, from the Debian packages: private, on loopback, durable.

Nothing of it outlives the tests: data directory, port and processes are made for one run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tests.support.held_port import HeldPort

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSWORD = "tickmesh-tests"
_USER = "tickmesh"
_BINARIES = "/usr/lib/postgresql/*/bin"
_START_SECONDS = 120.0
_STOP_SECONDS = 120.0


@dataclass(frozen=True)
class Account:
    """Who the server runs as: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def choose(cls) -> Account:
        """This user, or the packages' own when this one is root."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        entry = pwd.getpwnam("postgres")
        return cls(entry.pw_uid, entry.pw_gid)

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a command to its end; raises with what it said when it fails."""
        done = subprocess.run(
            self._as_account(command), cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}"

    def start(self, command: Sequence[str | Path], *, log: Path) -> subprocess.Popen[bytes]:
        """Start a command that goes on."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self._as_account(command),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _as_account(self, command: Sequence[str | Path]) -> list[str]:
        """Changing the user in the child would need a true fork, which gRPC's threads forbid."""
        words = [str(word) for word in command]
        if os.geteuid() != 0:
            return words
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", *words]


class PostgresCluster:
    """One cluster on a free loopback port; its databases are made and dropped by the tests."""

    def __init__(self) -> None:
        self._account = Account.choose()
        self._binaries = _find_binaries()
        self._directory = Path(tempfile.mkdtemp(prefix="tickmesh-postgres-"))
        os.chown(self._directory, self._account.uid, self._account.gid)
        self._data = self._directory / "data"
        self._server: subprocess.Popen[bytes] | None = None
        self._held_port = HeldPort()
        self.port = self._held_port.number

    def create(self) -> None:
        """Make the cluster's files and start it."""
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        os.chown(secret, self._account.uid, self._account.gid)
        self._account.run(
            [
                self._binaries / "initdb",
                *("--pgdata", self._data),
                *("--username", _USER),
                *("--pwfile", secret),
                *("--auth", "scram-sha-256"),
                *("--encoding", "UTF8"),
                "--locale=C.UTF-8",
                "--no-sync",
            ]
        )
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{self._directory}'\n"
                "max_connections = 200\nshared_buffers = '32MB'\nfsync = on\n"
                "synchronous_commit = on\nfull_page_writes = on\n"
            )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        log = self._directory / "server.log"
        self._server = self._account.start([self._binaries / "postgres", "-D", self._data], log=log)
        deadline = time.monotonic() + _START_SECONDS
        ready: list[str | Path] = [
            self._binaries / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def stop(self, *, immediately: bool = False) -> None:
        """End the server: sessions are cut off; `immediately` ends it as a crash would."""
        if self._server is None:
            return
        self._server.send_signal(3 if immediately else 2)  # SIGQUIT, SIGINT
        self._server.wait(_STOP_SECONDS)
        self._server = None

    def start_as_standby(self) -> None:
        """Start the stopped server as a standby, as one that was recovered would."""
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        os.chown(signal_file, self._account.uid, self._account.gid)
        self.start()

    async def promote(self) -> None:
        """Make the standby the primary: a new timeline begins."""
        connection = await self.connect()
        assert await connection.fetchval("SELECT pg_promote(true)")
        await connection.close()

    def destroy(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self._directory)

    def url(self, database: str, *, user: str = _USER, password: str = PASSWORD) -> str:
        """The address of a database, as the registry's settings take it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection of the test's own, for what no registry does."""
        return await asyncpg.connect(self.url(database))

    async def create_database(self, *, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = f"registry_{uuid.uuid4().hex[:12]}"
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    async def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        await self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _administer(self, statement: str) -> None:
        connection = await self.connect()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def _find_binaries() -> Path:
    found = sorted(Path("/").glob(_BINARIES.removeprefix("/")))
    assert found, "PostgreSQL is not installed: run `make deps`"
    return found[-1]
