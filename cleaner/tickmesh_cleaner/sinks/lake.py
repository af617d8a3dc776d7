"""Datasets in a lake: which directories they are, who writes to them, and how files become theirs.

Readers see nothing but whole Parquet files below a dataset's directory. What the cleaner keeps to
itself stands apart, in `.tickmesh` at the lake root, under the same relative path: what the
dataset is, the schema of all its files together, the state of each producer, and files that are
not finished.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tickmesh_cleaner.domain.errors import InvalidSinkError, LakeUnavailableError
from tickmesh_cleaner.durable_files import make_directories, publish, synchronise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

_KEPT_APART = ".tickmesh"
_DESCRIPTION = "dataset.json"
_COMPRESSION = "zstd"
_LASTING = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)


@dataclass(frozen=True, slots=True)
class ProducerState:
    """The epoch open for a producer, and the last batch the dataset holds of it."""

    epoch: int = 0
    last_n: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dataset is.

    Attributes:
        directory: Its own directory: partitions and files.
        kept_apart: Where the cleaner keeps what readers must not meet.
        name: Its path relative to the lake root, as people may see it.
    """

    directory: Path
    kept_apart: Path
    name: str


class LakeRoots:
    """The directories datasets may be written below, by their real paths."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(root.resolve() for root in roots)

    def place(self, directory: str) -> Place:
        """Find a dataset's place; a relative path begins at the first root.

        Links are followed first, so none leads out of a root.

        Raises:
            InvalidSinkError: It is not below a root.
        """
        if not self._roots:
            raise InvalidSinkError(
                "no directory takes Parquet datasets: the cleaner's setting sinks.lake_roots names "
                "none"
            )
        try:
            real = (self._roots[0] / directory).resolve()
        except (OSError, ValueError, RuntimeError):
            real = Path("/")
        for root in self._roots:
            if root in real.parents:
                relative = real.relative_to(root)
                if _KEPT_APART in relative.parts:
                    break
                _check_apart_from_others(root, relative)
                return Place(real, root / _KEPT_APART / relative, str(relative))
        raise InvalidSinkError(
            f"the directory {Path(directory).name!r} is not below one of the cleaner's lake roots; "
            "name one that is, or a path relative to the first root",
            directory=Path(directory).name,
        )


def _check_apart_from_others(root: Path, relative: Path) -> None:
    """Refuse a dataset inside another: readers of the outer one would meet both."""
    kept_apart = root / _KEPT_APART
    around = [path for path in relative.parents if (kept_apart / path / _DESCRIPTION).exists()]
    inside = [
        found
        for found in (kept_apart / relative).glob(f"*/**/{_DESCRIPTION}")
        if found.parent != kept_apart / relative
    ]
    if around or inside:
        raise InvalidSinkError(
            f"the dataset {str(relative)!r} would lie inside another one or around it; give each a "
            "directory of its own",
            directory=str(relative),
        )


class LakeDataset:
    """One dataset as its writers see it. Every change is durable, and whole or not there."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def describe(self, description: dict[str, Any]) -> None:
        """Make the dataset, or see that it is the one described.

        Raises:
            InvalidSinkError: It is another one.
        """
        with reported():
            for directory in (self._place.kept_apart, self._place.directory):
                make_directories(directory)
            path = self._place.kept_apart / _DESCRIPTION
            known = _read_json(path)
            if known is None:
                if any(self._place.directory.iterdir()):
                    raise InvalidSinkError(
                        f"the directory {self._place.name!r} holds files that are not the "
                        "cleaner's; name an empty one",
                        directory=self._place.name,
                    )
                publish(path, json.dumps(description).encode())
                return
        for key, expected in description.items():
            if known.get(key) != expected:
                raise InvalidSinkError(
                    f"the dataset {self._place.name!r} has {key} {known.get(key)!r}, the job asks "
                    f"for {expected!r}; use another directory",
                    directory=self._place.name,
                )

    def open(self, producer_id: str) -> ProducerState:
        """Open a new epoch of a producer."""
        with self._locked(producer_id) as state:
            opened = ProducerState(state.epoch + 1, state.last_n)
            self._keep(producer_id, opened)
        return opened

    def write(
        self, producer_id: str, change: Callable[[ProducerState], ProducerState | None]
    ) -> None:
        """Carry out a change while nobody else writes as this producer; then keep its new state."""
        with self._locked(producer_id) as state:
            changed = change(state)
            if changed is not None:
                self._keep(producer_id, changed)

    def publish_file(self, relative: Path, rows: pa.Table) -> None:
        """Make a file of the dataset: written apart, synchronised, then moved into its place."""
        unfinished = self._place.kept_apart / f"{relative.name}.unfinished"
        pq.write_table(rows, unfinished, compression=_COMPRESSION)
        synchronise(unfinished)
        final = self._place.directory / relative
        make_directories(final.parent)
        unfinished.replace(final)

    def synchronise_directories(self, directories: set[Path]) -> None:
        """Make the names of files durable."""
        for directory in sorted(directories):
            synchronise(self._place.directory / directory)

    def files_of(self, producer_id: str) -> Iterator[Path]:
        """The files a producer wrote."""
        yield from self._place.directory.rglob(f"{producer_id}-*.parquet")

    @property
    def schema_path(self) -> Path:
        """The file whose schema is that of all files together."""
        return self._place.kept_apart / "_common_metadata"

    @contextmanager
    def schema_lock(self) -> Iterator[None]:
        """Keep other writers from changing the common schema meanwhile."""
        with reported(), _lock(self._place.kept_apart / "schema.lock"):
            yield

    @contextmanager
    def _locked(self, producer_id: str) -> Iterator[ProducerState]:
        with reported(), _lock(self._place.kept_apart / f"{producer_id}.lock"):
            known = _read_json(self._place.kept_apart / f"{producer_id}.json")
            yield ProducerState(**known) if known else ProducerState()

    def _keep(self, producer_id: str, state: ProducerState) -> None:
        path = self._place.kept_apart / f"{producer_id}.json"
        publish(path, json.dumps(asdict(state)).encode())


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def reported() -> Iterator[None]:
    """Tell what will pass from what will not; neither names a path."""
    try:
        yield
    except _LASTING as error:
        raise InvalidSinkError(
            f"the cleaner may not write this dataset: {error.strerror}", cause=str(error.strerror)
        ) from error
    except OSError as error:
        raise LakeUnavailableError(error.strerror or type(error).__name__) from error
