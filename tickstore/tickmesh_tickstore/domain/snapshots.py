"""Named snapshots: one revision of each of some datasets, kept until the name is deleted (T7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import InvalidArgumentError, SnapshotNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Snapshot", "checked_snapshot_name"]

_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named snapshot.

    Attributes:
        name: Its name, unique in the store.
        created_at_ns: When it was made, ns since the epoch.
        revisions: The dataset revision of each dataset, by the dataset's name.
    """

    name: str
    created_at_ns: int
    revisions: Mapping[str, int]

    def revision_of(self, dataset: str) -> int:
        """The revision of a dataset.

        Raises:
            SnapshotNotFoundError: The snapshot does not hold it.
        """
        revision = self.revisions.get(dataset)
        if revision is None:
            raise SnapshotNotFoundError(
                f"snapshot {self.name!r} does not hold dataset {dataset!r}: name one that does",
                metadata={"snapshot": self.name, "dataset": dataset},
            )
        return revision


def checked_snapshot_name(name: str) -> str:
    """A name that a snapshot may have.

    Raises:
        InvalidArgumentError: It is empty, too long, or cannot be printed.
    """
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidArgumentError(
            f"a snapshot's name has 1 to {_LONGEST_NAME} printable characters, got {len(name)}"
        )
    return name
