"""Promises of `Source`: opaque positions, ranges that can be read again, whoever implements it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from tests.unit.cleaner.parts import NumberSource
from tests.unit.cleaner.test_replaying import Cleaner
from tickmesh_cleaner.domain.errors import SourceChangedError
from tickmesh_cleaner.domain.job import Job
from tickmesh_cleaner.domain.job_file import JobFile
from tickmesh_cleaner.domain.job_source import QuarantineSource, SourceIdentity
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.followed.family import FileFamily
from tickmesh_cleaner.sources.followed.records import FollowedRecords
from tickmesh_cleaner.sources.layout import spec_of
from tickmesh_cleaner.sources.one_of_files import OneOfFiles
from tickmesh_cleaner.sources.roots import SourceRoots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tickmesh_cleaner.sources.source import Source, SourceBatch

RECORDS = 25
BATCH = 4
PRICES = [number / 4 for number in range(RECORDS)]


@dataclass(frozen=True)
class Made:
    """A source of `RECORDS` records, and how to change what lies behind it."""

    source: Source
    change: Callable[[], None] | None = None


def csv(path: Path) -> Path:
    lines = "".join(f"{number},{price}\n" for number, price in enumerate(PRICES))
    path.write_text("ts,price\n" + lines, encoding="utf-8")
    return path


def jsonl(path: Path) -> Path:
    rows = [json.dumps({"ts": number, "price": price}) for number, price in enumerate(PRICES)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def packed(path: Path) -> Path:
    path.write_bytes(gzip.compress(csv(path).read_bytes()))
    return path


def parquet(path: Path) -> Path:
    pq.write_table(pa.table({"ts": range(RECORDS), "price": PRICES}), path, row_group_size=10)
    return path


def arrow(path: Path) -> Path:
    feather.write_feather(
        pa.table({"ts": range(RECORDS), "price": PRICES}), path, compression="uncompressed"
    )
    return path


FILES = {
    "trades.csv": csv,
    "trades.jsonl": jsonl,
    "trades.csv.gz": packed,
    "trades.parquet": parquet,
    "trades.arrow": arrow,
}


@pytest.fixture(params=[*FILES, "among others", "followed", "quarantine", "numbers"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    name: str = request.param
    if name == "numbers":
        yield Made(NumberSource(range(RECORDS)))
    elif name == "quarantine":
        cleaner = Cleaner(tmp_path)
        rows = "".join(f"{number},-{price + 1}\n" for number, price in enumerate(PRICES))
        cleaner.clean(b"ts,price\n" + rows.encode())
        selected = QuarantineFilter()
        job = Job("replay", "ticks.trades", "ticks.trades", QuarantineSource(selected), "all", 1)
        job = cleaner.store.quarantine.claim_for_replay(job, selected)
        source, _ = cleaner.workshop._source(job)
        yield Made(source)
        cleaner.store.close()
    elif name == "followed":
        # It may change at will: what was read is found again.
        yield Made(followed(csv(tmp_path / "trades.csv")))
    elif name == "among others":
        path = csv(tmp_path / "trades.csv")
        yield Made(among_others(path), lambda: append(path, b"more"))
    else:
        path = FILES[name](tmp_path / name)
        spec = spec_of("", path=path, file_name=name)
        records = FileRecords(path, spec=spec, name=name, file_name=name)

        def change() -> None:
            # Packed content goes on with a further member; anything else would be damage.
            more = gzip.compress(b"more") if path.suffix == ".gz" else b"more"
            append(path, more)

        yield Made(records, change)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def among_others(path: Path) -> Source:
    size = path.stat().st_size
    return OneOfFiles(
        path,
        file=JobFile("job", 1, str(path), path.name, size),
        bytes_before=100,
        bytes_total=100 + size,
        spec=spec_of("", path=path, file_name=path.name),
        identity=None,
    )


def followed(path: Path) -> Source:
    spec = spec_of("", path=path, file_name=path.name)
    return FollowedRecords(
        FileFamily(str(path), roots=SourceRoots([path.parent])),
        spec=spec,
        names=("ts", "price"),
        file_name=path.name,
        identity=SourceIdentity("f" * 64, "", 0),
    )


def cut(source: Source, *, start: str | None = None, end: str | None = None) -> list[SourceBatch]:
    return list(source.read(start=start, end=end, batch_records=BATCH))


def content(batch: SourceBatch) -> tuple[str, str, int, list[dict[str, object]], list[object]]:
    """What a batch holds; the positions are compared as they are, never looked into."""
    decoded = batch.decoded
    rows: list[dict[str, object]] = decoded.columns.to_pylist()
    raws: list[object] = list(decoded.raw(range(decoded.columns.num_rows)))
    return batch.start, batch.end, decoded.record_count, rows, raws


def test_batches_follow_one_another_and_hold_every_record_once(made: Made) -> None:
    batches = cut(made.source)
    assert len(batches) > 2
    assert sum(batch.decoded.record_count for batch in batches) == RECORDS
    assert [batch.end for batch in batches[:-1]] == [batch.start for batch in batches[1:]]
    assert all(batch.decoded.record_count <= BATCH for batch in batches)


def test_a_replayable_source_gives_any_range_again_in_any_order(made: Made) -> None:
    """An open intent is carried out again with its range, never re-cut."""
    assert made.source.replayable
    batches = cut(made.source)
    for batch in reversed(batches):
        (again,) = cut(made.source, start=batch.start, end=batch.end)
        assert content(again) == content(batch)


def test_reading_goes_on_behind_any_position(made: Made) -> None:
    batches = cut(made.source)
    for place, batch in enumerate(batches):
        rest = cut(made.source, start=batch.end)
        assert [content(each) for each in rest] == [content(each) for each in batches[place + 1 :]]


def test_a_position_says_how_far_it_is(made: Made) -> None:
    read = [made.source.progress(batch.end).bytes_read for batch in cut(made.source)]
    assert read == sorted(read)


def test_a_source_is_the_same_until_it_is_changed(made: Made) -> None:
    identity = made.source.identify()
    assert identity == made.source.identify()
    made.source.verify(identity)
    if made.change is not None:
        made.change()
        assert made.source.identify().digest != identity.digest
        with pytest.raises(SourceChangedError):
            made.source.verify(identity)


def test_its_name_tells_nothing_of_where_it_lies(made: Made, tmp_path: Path) -> None:
    assert made.source.name
    assert str(tmp_path) not in made.source.name
