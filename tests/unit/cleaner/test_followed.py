"""A followed file: whole records only, each once, over rotation, truncation and restart."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tickmesh.decoding.source_spec import CsvDialect, Format, Prefix, SourceSpec
from tickmesh_cleaner.domain.errors import SourceRangeLostError
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.followed.family import FileFamily
from tickmesh_cleaner.sources.followed.lines import BEGINNING
from tickmesh_cleaner.sources.followed.place import HEAD_BYTES, Place, nothing_since
from tickmesh_cleaner.sources.followed.records import FollowedRecords
from tickmesh_cleaner.sources.roots import SourceRoots
from tickmesh_cleaner.sources.source import LiveSource, Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tickmesh_cleaner.sources.source import SourceBatch

HEADER = "ts,price\n"
CSV = SourceSpec(format=Format.CSV)
PLAIN_CSV = SourceSpec(format=Format.CSV, csv=CsvDialect(names=("ts", "price")))
JSONL = SourceSpec(format=Format.JSONL)
LOG = SourceSpec(format=Format.JSONL, prefix=Prefix(names=("received",)))
SETTLE_SECONDS = 60.0


class FinishedError(Exception):
    """The script of a test is played."""


class Live:
    """A file, a source that follows it, and what came of it."""

    def __init__(self, path: Path, spec: SourceSpec = CSV) -> None:
        self.path = path
        self.spec = spec
        self.events: list[str] = []
        self.batches: list[SourceBatch] = []
        self._begin = nothing_since(time.time_ns())

    def source(self, wait: Callable[[float], None] = time.sleep) -> FollowedRecords:
        names = self.spec.csv.names or (("ts", "price") if self.spec.format is Format.CSV else ())
        return FollowedRecords(
            FileFamily(str(self.path), roots=SourceRoots([self.path.parent])),
            spec=self.spec,
            names=names,
            file_name=self.path.name,
            identity=SourceIdentity("d" * 64, self._begin, 0),
            note=lambda code, _message: self.events.append(code),
            wait=wait,
        )

    def play(self, script: Generator[None, None, None]) -> None:
        """Follow from where the last play ended; a step of the script whenever it is quiet."""
        quiets: list[str] = []

        def wait(_seconds: float) -> None:
            time.sleep(0.002)
            try:
                next(script)
            except StopIteration:
                raise FinishedError from None

        items = self.source(wait).follow(start=self.end)
        with suppress(FinishedError):
            for item in items:
                if isinstance(item, Quiet):
                    quiets.append(item.message)
                else:
                    self.batches.append(item)
            pytest.fail("a followed file has no end")
        self.quiet_messages = quiets

    @property
    def end(self) -> str | None:
        return self.batches[-1].end if self.batches else None

    @property
    def rows(self) -> list[str]:
        """All records read, as they stood in the file."""
        return [raw for batch in self.batches for raw in raws(batch)]

    def append(self, text: str | bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def until(self, rows: list[str]) -> Generator[None, None, None]:
        """Quiet moments until these rows are there."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.rows != rows:
            assert time.monotonic() < deadline, (self.rows, self.events)
            yield


def raws(batch: SourceBatch) -> list[str]:
    decoded = batch.decoded
    found = [
        *zip(
            decoded.offsets.to_pylist(), decoded.raw(range(decoded.columns.num_rows)), strict=True
        ),
        *((reject.offset, reject.raw) for reject in decoded.rejects),
    ]
    return [raw.decode() for _, raw in sorted(found)]


@pytest.fixture
def live(tmp_path: Path) -> Live:
    return Live(tmp_path / "live.csv")


def quiet(times: int = 3) -> Generator[None, None, None]:
    for _ in range(times):
        yield


def lines(*numbers: int) -> str:
    return "".join(f"{number},{number}.5\n" for number in numbers)


def rows(*numbers: int) -> list[str]:
    return [f"{number},{number}.5" for number in numbers]


def test_it_is_a_source_that_goes_on(live: Live) -> None:
    assert isinstance(live.source(), LiveSource)


def test_what_is_there_and_what_comes_is_read_once_as_it_comes(live: Live) -> None:
    live.append(HEADER + lines(1, 2))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1, 2))
        live.append(lines(3))
        yield from live.until(rows(1, 2, 3))
        live.append(lines(4, 5))
        yield from live.until(rows(1, 2, 3, 4, 5))
        yield from quiet()

    live.play(script())
    assert live.rows == rows(1, 2, 3, 4, 5)
    assert live.events == []
    assert [batch.decoded.lines.to_pylist() for batch in live.batches] == [[2, 3], [4], [5, 6]]


@pytest.mark.parametrize(
    ("spec", "record"),
    [
        (CSV, '7,"a""b"\n'),
        (PLAIN_CSV, '7,"two\nlines"\n'),
        (JSONL, '{"ts":7,"note":"ü{"}\r\n'),
        (LOG, '1700000000 {"ts":7}\n'),
    ],
    ids=["csv", "plain csv", "jsonl", "log"],
)
def test_a_record_is_never_decoded_half(tmp_path: Path, spec: SourceSpec, record: str) -> None:
    """Byte by byte, as a slow writer leaves it there."""
    live = Live(tmp_path / "live", spec)
    before = HEADER + "1,2\n" if spec is CSV else record
    live.append(before)

    def script() -> Generator[None, None, None]:
        first = before.removeprefix(HEADER).rstrip("\r\n")
        yield from live.until([first])
        for byte in record.encode()[:-1]:
            live.append(bytes([byte]))
            yield from quiet(2)
            assert live.rows == [first]
        live.append("\n")
        yield from live.until([first, record.rstrip("\r\n")])

    live.play(script())
    assert not any(batch.decoded.rejects for batch in live.batches)


def test_a_header_is_waited_for_like_any_line(live: Live) -> None:
    def script() -> Generator[None, None, None]:
        for part in ("ts,", "price", "\n", "1,1.5", "\n"):
            assert live.rows == []
            live.append(part)
            yield from quiet(2)

    live.play(script())
    assert live.rows == rows(1)


def test_a_file_that_does_not_exist_yet_is_awaited(live: Live) -> None:
    def script() -> Generator[None, None, None]:
        yield from quiet()
        live.append(HEADER + lines(1))
        yield from live.until(rows(1))

    live.play(script())
    assert "live.csv" in live.quiet_messages[0]
    assert live.quiet_messages[-1] == ""


def test_a_file_that_came_and_was_rotated_away_before_anybody_looked_is_read(live: Live) -> None:
    live.append(HEADER + lines(1))
    shutil.copy(live.path, live.path.with_name("live.csv.2"))
    os.truncate(live.path, 0)
    time.sleep(0.02)
    live.append(lines(2))
    live.path.rename(live.path.with_name("live.csv.1"))
    live.append(HEADER + lines(3))
    older = live.path.with_name("live.csv.3")
    older.write_text(HEADER + lines(99))
    os.utime(older, (1, 1))
    live.play(live.until(rows(1, 2, 3)))


def test_a_renamed_file_is_read_to_its_end_and_the_new_one_after_it(live: Live) -> None:
    live.append(HEADER + lines(1))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        live.append(lines(2))
        rotated = live.path.rename(live.path.with_name("live.csv.1"))
        with rotated.open("a") as file:
            file.write(lines(3))
        yield from live.until(rows(1, 2, 3))
        with rotated.open("a") as file:
            file.write("4,4.5")  # a last line that nobody will end
        live.append(HEADER + lines(5))
        yield from live.until(rows(1, 2, 3, 4, 5))

    live.play(script())
    assert live.events[-1] == "ROTATED"


def test_who_still_writes_to_the_old_file_is_heard_while_the_new_one_is_empty(live: Live) -> None:
    live.append(HEADER + lines(1))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        with live.path.open("a") as writer:
            live.path.rename(live.path.with_name("live.csv.1"))
            live.path.touch()
            yield from quiet(100)
            writer.write(lines(2))
        yield from live.until(rows(1, 2))
        live.append(lines(3))  # goes on without a header
        yield from live.until(rows(1, 2, 3))

    live.play(script())
    assert live.events == ["ROTATED"]


def test_two_rotations_while_nobody_looked_lose_nothing(live: Live) -> None:
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    live.append(lines(2))
    live.path.rename(live.path.with_name("live.csv.2"))
    time.sleep(0.02)
    live.append(HEADER + lines(3))
    live.path.rename(live.path.with_name("live.csv.1"))
    time.sleep(0.02)
    live.append(HEADER + lines(4))
    live.path.with_name("live.csv.bak").write_text(HEADER + lines(99))
    live.play(live.until(rows(1, 2, 3, 4)))
    assert live.events.count("ROTATED") == 2


def test_a_copy_and_what_was_rotated_in_the_same_moment_are_read_in_their_order(
    live: Live,
) -> None:
    """Clocks of file systems tick: both were written to at one instant."""
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    live.path.rename(live.path.with_name("live.csv.9"))
    time.sleep(0.02)
    live.append(HEADER + lines(2))
    copy, later = live.path.with_name("live.csv.8"), live.path.with_name("live.csv.7")
    shutil.copy(live.path, copy)
    os.truncate(live.path, 0)
    live.append(lines(3))
    moment = live.path.stat().st_mtime_ns
    os.utime(copy, ns=(moment, moment))
    os.utime(live.path, ns=(moment, moment))
    time.sleep(0.02)
    live.path.rename(later)
    live.append(HEADER + lines(4))
    live.play(live.until(rows(1, 2, 3, 4)))


@pytest.mark.parametrize("dated", [False, True])
def test_a_file_rotated_and_packed_meanwhile_is_unpacked(live: Live, dated: bool) -> None:
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    live.append(lines(2, 3))
    name = "live-20240102.csv.gz" if dated else "live.csv.1.gz"
    with gzip.open(live.path.with_name(name), "wb") as packed:
        packed.write(live.path.read_bytes())
    live.path.unlink()
    live.append(HEADER + lines(4))
    live.play(live.until(rows(1, 2, 3, 4)))


def test_a_file_cut_to_nothing_begins_anew(live: Live) -> None:
    live.append(HEADER + lines(1, 2))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1, 2))
        live.path.write_text(lines(3))  # its writer wrote the header once
        yield from live.until(rows(1, 2, 3))

    live.play(script())
    assert live.events == ["TRUNCATED"]


def test_a_file_cut_and_written_beyond_its_old_length_is_noticed(live: Live) -> None:
    live.append(HEADER + lines(1))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        live.path.write_text(HEADER + lines(*range(100, 200)))
        yield from live.until(rows(1, *range(100, 200)))

    live.play(script())
    assert live.events == ["TRUNCATED"]


@pytest.mark.parametrize("while_away", [False, True])
def test_copy_and_truncate_loses_nothing_that_was_copied(live: Live, while_away: bool) -> None:
    live.append(HEADER + lines(1))

    def rotate() -> None:
        live.append(lines(2, 3))
        shutil.copy(live.path, live.path.with_name("live.csv.1"))
        os.truncate(live.path, 0)

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        if not while_away:
            rotate()
            yield from live.until(rows(1, 2, 3))

    live.play(script())
    if while_away:
        rotate()
    live.append(lines(4))
    live.play(live.until(rows(1, 2, 3, 4)))


def test_what_was_copied_and_cut_before_a_line_of_it_was_read_is_read_from_its_copy(
    live: Live,
) -> None:
    """The file was open already, with nothing in it but a header, or nothing at all."""

    def rotate(name: str) -> None:
        time.sleep(0.02)
        shutil.copy(live.path, live.path.with_name(name))
        os.truncate(live.path, 0)

    def script() -> Generator[None, None, None]:
        live.append(HEADER)
        yield from quiet()
        live.append(lines(1, 2))
        rotate("live.csv.9")
        live.append(lines(3))
        yield from live.until(rows(1, 2, 3))
        rotate("live.csv.8")
        yield from quiet()
        live.append(lines(4, 5))
        rotate("live.csv.7")
        live.append(lines(6))
        rotate("live.csv.6")
        live.append(lines(7))
        yield from live.until(rows(*range(1, 8)))
        rotate("live.csv.5")
        yield from quiet()
        live.append(lines(8))
        rotate("live.csv.4")
        # Nothing is written any more.
        yield from live.until(rows(*range(1, 9)))
        yield from quiet()

    live.play(script())
    assert live.rows == rows(*range(1, 9))


def test_a_file_that_is_removed_is_awaited_again(live: Live) -> None:
    live.append(HEADER + lines(1))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        live.append(lines(2))
        live.path.unlink()
        yield from live.until(rows(1, 2))
        yield from quiet(20)
        live.append(HEADER + lines(3))
        yield from live.until(rows(1, 2, 3))

    live.play(script())
    assert live.events == ["REMOVED", "ROTATED"]


def test_a_file_gone_for_good_while_nobody_looked_is_told_as_a_gap(live: Live) -> None:
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    live.path.unlink()
    live.append(HEADER + lines(7))
    live.play(live.until(rows(1, 7)))
    assert live.events == ["GAP"]


def test_any_range_is_read_again_wherever_its_file_went(live: Live) -> None:
    live.append(HEADER + lines(*range(200)))
    live.play(live.until(rows(*range(200))))
    live.append(lines(200, 201))
    live.play(live.until(rows(*range(202))))
    live.append(HEADER)
    live.path.rename(live.path.with_name("live.csv.1"))
    live.append(HEADER + lines(300))
    live.play(live.until([*rows(*range(202)), "ts,price", *rows(300)]))

    def read_again() -> list[list[str]]:
        return [
            [
                raw
                for found in live.source().read(start=batch.start, end=batch.end)
                for raw in raws(found)
            ]
            for batch in live.batches
        ]

    expected = [raws(batch) for batch in live.batches]
    assert read_again() == expected
    rotated = live.path.with_name("live.csv.1")
    with gzip.open(live.path.with_name("live.csv.2.gz"), "wb") as packed:
        packed.write(rotated.read_bytes())
    rotated.unlink()
    assert read_again() == expected
    first, last = live.batches[0], live.batches[-1]
    # What was gathered from both sides of a rotation is one range too.
    found = live.source().read(start=first.start, end=last.end)
    assert [raw for batch in found for raw in raws(batch)] == live.rows

    live.path.with_name("live.csv.2.gz").unlink()
    with pytest.raises(SourceRangeLostError) as lost:
        list(live.source().read(start=first.start, end=first.end))
    assert lost.value.reason == "SOURCE_CHANGED"
    assert lost.value.metadata["first"] == str(len(HEADER))
    assert int(lost.value.metadata["last"]) > HEAD_BYTES


def test_a_range_over_a_truncation_is_read_from_the_copy_and_the_file(live: Live) -> None:
    """Both ends lie in one inode, which held two contents."""
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    live.append(lines(2, 3))
    live.play(live.until(rows(1, 2, 3)))
    shutil.copy(live.path, live.path.with_name("live.csv.1"))
    os.truncate(live.path, 0)
    live.append(lines(*range(4, 20)))
    live.play(live.until(rows(*range(1, 20))))
    for place, batch in enumerate(live.batches):
        found = live.source().read(start=batch.start, end=live.batches[-1].end)
        expected = [raw for each in live.batches[place:] for raw in raws(each)]
        assert [raw for each in found for raw in raws(each)] == expected


def test_a_range_of_another_content_is_not_taken_for_the_one_asked_for(live: Live) -> None:
    live.append(HEADER + lines(1, 2))
    live.play(live.until(rows(1, 2)))
    live.path.write_text(HEADER + lines(8, 9))
    (batch,) = live.batches
    with pytest.raises(SourceRangeLostError):
        list(live.source().read(start=batch.start, end=batch.end))


def test_a_line_that_is_too_long_is_rejected_once_it_ends(tmp_path: Path) -> None:
    """Ten megabytes come in parts; the line behind them is read as always."""
    live = Live(tmp_path / "live.jsonl", JSONL)
    live.append('{"ts":1}\n')

    def script() -> Generator[None, None, None]:
        yield from live.until(['{"ts":1}'])
        for _ in range(5):
            live.append(b"x" * (2 << 20))
            yield from quiet(2)
        assert len(live.rows) == 1
        live.append('\n{"ts":2}\n')
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(live.rows) < 3:
            assert time.monotonic() < deadline
            yield

    live.play(script())
    rejects = [reject for batch in live.batches for reject in batch.decoded.rejects]
    assert {(reject.code, reject.line) for reject in rejects} == {("LINE_TOO_LONG", 2)}
    assert b"".join(reject.raw for reject in rejects).rstrip() == b"x" * (10 << 20)
    assert live.rows[-1] == '{"ts":2}'


def test_a_quote_that_is_never_closed_holds_nothing_up_for_good(live: Live) -> None:
    live.append(HEADER + lines(1))
    many = list(range(2, 150_000))

    def script() -> Generator[None, None, None]:
        yield from live.until(rows(1))
        live.append('0,"open\n')
        live.append(lines(*many))
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(live.rows) < len(many):
            assert time.monotonic() < deadline
            yield

    live.play(script())
    rejects = [reject.code for batch in live.batches for reject in batch.decoded.rejects]
    assert rejects == ["UNTERMINATED_QUOTE"]
    assert live.rows[2:100] == rows(*many[:98])


def test_garbage_is_rejected_line_by_line_and_the_rest_goes_on(live: Live) -> None:
    live.append(HEADER.encode() + b"\xff\xfe,1\n\0\n\n\n3,1,1,1\n" + lines(4).encode())
    live.play(quiet(20))
    rejects = {reject.code for batch in live.batches for reject in batch.decoded.rejects}
    assert {"BAD_UTF8", "RAGGED"} <= rejects
    assert live.source().read(start=live.batches[0].start, end=live.end)


def test_a_place_comes_back_from_its_token(live: Live) -> None:
    live.append(HEADER + lines(1))
    live.play(live.until(rows(1)))
    token = live.batches[0].end
    assert Place.parse(token).token() == token
    assert Place.parse(token).position.record > BEGINNING.record
    for wrong in ("", "1.2.3", token + "x", "a-b-c-d@1.2.3"):
        with pytest.raises(ValueError, match="not a"):
            Place.parse(wrong)
