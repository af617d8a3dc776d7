"""Keeps one child process running: started, known to be ready, restarted when it dies, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

EXIT_CONFIG = 78
MAX_FAILURES = 5
FAILURE_WINDOW_SECONDS = 60.0
FIRST_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 10.0
KILL_AFTER_SECONDS = 20.0
"""How long a child may take to stop; its own drain deadline is shorter."""

_POLL_SECONDS = 0.05
_MAX_LOG_BYTES = 16 * 1024 * 1024

StateName = Literal["starting", "ready", "restarting", "failed", "stopped"]


@dataclass(frozen=True)
class ServiceStatus:
    """One change in the life of a service."""

    name: str
    state: StateName
    detail: str = ""
    """Addresses when ready; the reason and the log's last line when it failed."""


@dataclass(frozen=True)
class Failure:
    """Why a service was given up."""

    name: str
    exit_code: int
    """78 if its settings are wrong, else 1."""
    detail: str


class SupervisedService:
    """One child process and the thread that watches it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        ready_file: Path,
        log_file: Path,
        report: Callable[[ServiceStatus], None],
        on_ready: Callable[[Mapping[str, str]], None],
        give_up: Callable[[Failure], None],
    ) -> None:
        """Describe a service; nothing runs yet.

        Args:
            name: for reports.
            command: to run.
            environment: whole environment of the child; changed by `set_environment`.
            ready_file: where the child writes its addresses once it serves.
            log_file: what the child prints, appended.
            report: told every change of state, from the watching thread.
            on_ready: told the addresses at every start.
            give_up: told once, when the service will not be started again.
        """
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._ready_file = ready_file
        self._log_file = log_file
        self._report = report
        self._on_ready = on_ready
        self._give_up = give_up
        self._stopping = threading.Event()
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)
        self._thread = threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True)
        self.addresses: Mapping[str, str] = {}

    @property
    def pid(self) -> int | None:
        """The child's process id; None while it does not run."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def set_environment(self, variables: Mapping[str, str]) -> None:
        """Change the environment of the next start."""
        self._environment.update(variables)

    def start(self) -> None:
        """Begin to run it; `wait_settled` says when it is ready or given up."""
        self._thread.start()

    def wait_settled(self, timeout_seconds: float | None) -> bool:
        """Wait until it is ready for the first time, or given up; return whether it is either."""
        return self._settled.wait(timeout_seconds)

    def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL for a child that does not obey. Returns when it is gone."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(KILL_AFTER_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join()

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def _watch(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            process = self._spawn()
            if process is None:
                break
            if self._await_ready(process):
                self._report_ready()
            code = process.wait()
            if self._stopping.is_set():
                break
            if time.monotonic() - began > FAILURE_WINDOW_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            detail = f"exit code {code}: {self._last_log_line()}"
            if self._is_hopeless(code):
                self._report(ServiceStatus(self.name, "failed", detail))
                self._give_up(Failure(self.name, EXIT_CONFIG if code == EXIT_CONFIG else 1, detail))
                self._settled.set()
                return
            self._report(ServiceStatus(self.name, "restarting", f"in {backoff:.1f} s; {detail}"))
            self._stopping.wait(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
        self._report(ServiceStatus(self.name, "stopped"))
        self._settled.set()

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        self._ready_file.unlink(missing_ok=True)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        if self._log_file.exists() and self._log_file.stat().st_size > _MAX_LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        with self._lock, self._log_file.open("ab") as log:
            if self._stopping.is_set():
                return None
            self._report(ServiceStatus(self.name, "starting"))
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches the supervisor alone, which then stops the services in order.
                start_new_session=True,
            )
            return self._process

    def _await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        while process.poll() is None:
            try:
                content = json.loads(self._ready_file.read_text(encoding="utf-8"))
            except FileNotFoundError:
                time.sleep(_POLL_SECONDS)
                continue
            self.addresses = {kind: address for kind, address in content.items() if kind != "pid"}
            return True
        return False

    def _report_ready(self) -> None:
        self._on_ready(self.addresses)
        where = "  ".join(f"{kind} {address}" for kind, address in self.addresses.items())
        self._report(ServiceStatus(self.name, "ready", where))
        self._settled.set()

    def _is_hopeless(self, code: int) -> bool:
        """Whether to give up: wrong settings do not mend themselves, nor do five quick deaths."""
        now = time.monotonic()
        self._failures.append(now)
        return code == EXIT_CONFIG or (
            len(self._failures) == MAX_FAILURES
            and now - self._failures[0] <= FAILURE_WINDOW_SECONDS
        )

    def _last_log_line(self) -> str:
        with self._log_file.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"see {self._log_file}"
