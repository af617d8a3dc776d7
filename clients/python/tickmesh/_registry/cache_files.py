"""Timelines on disk, so that a service goes on with the schemas it knows after its own restart."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire

if TYPE_CHECKING:
    from pathlib import Path


class CacheFiles:
    """One file a subject, holding its versions as the registry answered them."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, made when missing."""
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def save(self, subject: str, answer: wire.ListVersionsResponse) -> None:
        """Replace the subject's file; a crash leaves the old one or the new one."""
        path = self._path(subject)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(answer.SerializeToString())
        fresh.replace(path)

    def load(self, subject: str) -> wire.ListVersionsResponse | None:
        """The subject's versions as last saved; None when there is no readable file."""
        try:
            return wire.ListVersionsResponse.FromString(self._path(subject).read_bytes())
        except (OSError, DecodeError):
            return None

    def _path(self, subject: str) -> Path:
        # A digest, since subjects may hold characters that files may not.
        return self._directory / f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}.versions"
