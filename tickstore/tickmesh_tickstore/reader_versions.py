"""Which version a read is read under, and that the engine knows it (T9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_tickstore.engine.interface import DatasetInfo, TickEngine
    from tickmesh_tickstore.governance import Governance
    from tickmesh_tickstore.version_columns import VersionColumns

__all__ = ["ReaderVersions"]


class ReaderVersions:
    """Finds the version of each read; safe for any thread."""

    def __init__(self, *, engine: TickEngine, governance: Governance) -> None:
        self._engine = engine
        self._governance = governance
        self._told: set[tuple[str, int]] = set()

    def choose(self, command: commands_pb2.ReadCommand, info: DatasetInfo) -> int:
        """The version that a command names, else the dataset's current one.

        Current is what the registry has in force now; while that cannot be known, the newest
        version that rows are taken of.

        Raises:
            InvalidRequestError: the version is no number of one.
            VersionUnknownError: the subject has no such version.
            RegistryUnavailableError: it was never seen here and the registry does not answer.
        """
        version = command.reader_version
        if version < 0:
            raise InvalidRequestError(
                f"reader_version must be 0 for the current version, or positive; it was {version}.",
                metadata={"readerVersion": str(version)},
                violations=[("reader_version", "expected 0 or more")],
            )
        if version:
            self.make_known(info, version)
            return version
        current = self._governance.current(info.name)
        if current is None:
            return info.versions[-1][0].schema_version
        self._tell(info, current)
        return current.stamp.schema_version

    def make_known(self, info: DatasetInfo, version: int) -> None:
        """See that the engine can read under a version. Raises as `choose`."""
        if not self._is_known(info, version):
            self._tell(info, self._governance.columns(info.name, version=version))

    def _is_known(self, info: DatasetInfo, version: int) -> bool:
        return (info.dataset_id, version) in self._told or any(
            stamp.schema_version == version for stamp, _ in info.versions
        )

    def _tell(self, info: DatasetInfo, columns: VersionColumns) -> None:
        version = columns.stamp.schema_version
        if self._is_known(info, version):
            return
        self._engine.add_reader(
            info.name,
            stamp=columns.stamp,
            schema=columns.schema,
            rules=columns.rules,
            generation=columns.generation,
        )
        self._told.add((info.dataset_id, version))
