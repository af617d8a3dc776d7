"""What lies in a spool is read like any source: any range again, in order, each record once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tickmesh.decoding.source_spec import SourceSpec
from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.domain.job_source import HttpFeedSource
from tickmesh_cleaner.feeds.answers import AnswerOrigin, PageReader, digest_of, size_of
from tickmesh_cleaner.sources.feed import FeedRecords
from tickmesh_cleaner.sources.feed_answers import AnswerCutter
from tickmesh_cleaner.sources.feed_messages import MessageCutter
from tickmesh_cleaner.sources.source import Quiet
from tickmesh_cleaner.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tickmesh_cleaner.sources.feed import Cutter
    from tickmesh_cleaner.sources.source import SourceBatch

BATCH = 4
JSONL = SourceSpec.from_toml('format = "jsonl"')
CSV = SourceSpec.from_toml('format = "csv"')


@dataclass
class Nothing:
    """A receiver that brings nothing and ends, by a failure if it has one."""

    failure: Exception | None = None
    waiting: str = ""
    ended: bool = True
    stopped: bool = False

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        self.stopped = True


def records_of(spool: Spool, cutter: Cutter, receiver: Nothing | None = None) -> FeedRecords:
    nothing = receiver or Nothing()
    return FeedRecords("job", name="feed", spool=spool, cutter=cutter, receive=lambda: nothing)


def messages(path: Path, payloads: Sequence[bytes], spec: SourceSpec = JSONL) -> FeedRecords:
    spool = Spool(path, segment_bytes=500)
    for payload in payloads:
        spool.append(payload, received_at_ns=1)
        spool.sync()
    return records_of(spool, MessageCutter(spec, file_name="stream"))


def answers(
    path: Path,
    bodies: Sequence[bytes],
    *,
    spec: SourceSpec = JSONL,
    names: list[tuple[str, ...]] | None = None,
) -> FeedRecords:
    spool = Spool(path, segment_bytes=500)
    source = HttpFeedSource("http://h/", records_path="/data" if spec is JSONL else "")
    pages = PageReader(source, spec)
    for number, body in enumerate(bodies, 1):
        page = pages.page(body, "application/json")
        size = size_of(page)
        origin = AnswerOrigin(
            answer=number,
            walks=0,
            request="http://h/",
            etag="",
            modified="",
            digest="",
            next_url="http://h/",
            taken=size,
            taken_digest=digest_of(page, size),
            skip=2 if number == 2 and not page.code and page.count else 0,
            code=page.code,
            message=page.message,
        )
        spool.append(body, received_at_ns=1, origin=origin.to_bytes())
        spool.sync()
    noted = names if names is not None else []
    cutter = AnswerCutter(
        spec, name="feed", file_name="f", pages=pages, column_names=(), note_names=noted.append
    )
    return records_of(spool, cutter)


def document(numbers: Sequence[int], **format_: object) -> bytes:
    rows = [{"x": number, "é": "\u20ac"} for number in numbers]
    return json.dumps({"data": rows, "data2": [1]}, **format_).encode()  # type: ignore[arg-type]  # json's own words


def table(numbers: Sequence[int], header: str = "x") -> bytes:
    return "\n".join([header, *map(str, numbers)]).encode() + b"\n"


GARBAGE = b'{"data": [{"x": 1'
SOURCES = {
    "messages": lambda path: messages(path, [b'{"x": %d}' % number for number in range(25)]),
    "messages with garbage": lambda path: messages(
        path, [b'{"x": 1}', b"\xff\xfe", b"", b'{"x":\n 2}', b"{", *[b'{"x": 3}'] * 20]
    ),
    "CSV messages": lambda path: messages(
        path,
        [b"1,2", b'3,"', b"4,5", b'"6,7', *[b"8,9"] * 21],
        SourceSpec.from_toml('format = "csv"\n[csv]\nnames = ["x", "y"]'),
    ),
    "documents": lambda path: answers(
        path,
        [
            document(range(9)),
            document(range(7, 18), ensure_ascii=False, indent=2),
            GARBAGE,
            document([]),
            document(range(18, 24)),
        ],
    ),
    "tables": lambda path: answers(
        path, [table(range(9)), table([]), table(range(9, 18)), table(range(7))], spec=CSV
    ),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FeedRecords:
    made: FeedRecords = SOURCES[request.param](tmp_path)
    return made


def cut(source: FeedRecords, start: str | None = None, end: str | None = None) -> list[SourceBatch]:
    return list(source.read(start=start, end=end, batch_records=BATCH))


def content(batch: SourceBatch) -> tuple[object, ...]:
    decoded = batch.decoded
    return (
        decoded.columns.to_pylist(),
        decoded.raw(range(decoded.columns.num_rows)),
        decoded.offsets.to_pylist(),
        decoded.lines.to_pylist(),
        decoded.rejects,
    )


def rows(batches: Sequence[SourceBatch]) -> list[tuple[object, ...]]:
    """The records of some batches, wherever these are cut: a live source promises nothing there."""
    found: list[tuple[object, ...]] = []
    for batch in batches:
        columns, raws, offsets, lines, rejects = content(batch)
        found += zip(columns, raws, offsets, lines, strict=True)  # type: ignore[call-overload]  # lists
        found += rejects  # type: ignore[arg-type]  # a tuple of rejects
    return found


def test_every_range_is_read_again_the_same(source: FeedRecords) -> None:
    batches = cut(source)
    assert sum(batch.decoded.record_count for batch in batches) == 25
    for batch in reversed(batches):
        assert 0 < batch.decoded.record_count <= BATCH
        (again,) = cut(source, batch.start, batch.end)
        assert content(again) == content(batch)
    for place, batch in enumerate(batches):
        assert rows(cut(source, batch.end)) == rows(batches[place + 1 :])


def test_places_are_distinct_and_ascend(source: FeedRecords) -> None:
    places: list[int] = []
    for batch in cut(source):
        own = [*batch.decoded.offsets.to_numpy().tolist()]
        own += [reject.offset for reject in batch.decoded.rejects]
        places += sorted(own)
    assert places == sorted(set(places))
    assert len(places) == 25


def test_what_is_committed_may_be_dropped_and_nothing_else(source: FeedRecords) -> None:
    batches = cut(source)
    for place, batch in enumerate(batches):
        source.committed(batch.end)
        assert rows(cut(source, batch.end)) == rows(batches[place + 1 :])


def test_pretty_messages_are_one_record_and_lines_are_several(tmp_path: Path) -> None:
    (batch,) = messages(tmp_path, [b'{"x":\r\n 1}', b'{"x": 2}\n{"x": 3}']).read(
        start=None, end=None
    )
    texts = [json.loads(str(text))["x"] for text in batch.decoded.columns["json"].to_pylist()]
    assert texts == [1, 2, 3]
    assert batch.decoded.raw([0]) == [b'{"x":   1}']


def test_only_what_is_new_of_a_page_that_grew_is_read(tmp_path: Path) -> None:
    source = answers(tmp_path, [document(range(3)), document([1, 2, 3, 4])])
    texts = [
        json.loads(str(text))["x"]
        for batch in source.read(start=None, end=None)
        for text in batch.decoded.columns["json"].to_pylist()
    ]
    assert texts == [0, 1, 2, 3, 4]


def test_the_header_of_a_table_is_kept_and_may_not_change(tmp_path: Path) -> None:
    names: list[tuple[str, ...]] = []
    source = answers(tmp_path, [table([1]), table([2], "y")], spec=CSV, names=names)
    batches = source.read(start=None, end=None)
    assert next(batches).decoded.record_count == 1
    with pytest.raises(FeedRefusedError, match="the header changed from x to y"):
        next(batches)
    assert names == [("x",)]


def test_a_feed_that_fails_is_read_to_its_end_first(tmp_path: Path) -> None:
    failure = FeedRefusedError("feed", cause="answered 404")
    made = messages(tmp_path, [b'{"x": 1}'])
    receiver = Nothing(failure)
    source = records_of(Spool(tmp_path), MessageCutter(JSONL, file_name=""), receiver)
    items = source.follow(start=None)
    first = next(items)
    assert not isinstance(first, Quiet)
    assert content(first) == content(cut(made)[0])
    with pytest.raises(FeedRefusedError, match="404"):
        next(items)
    assert receiver.stopped


def test_a_position_beyond_the_spool_is_no_silent_gap(tmp_path: Path) -> None:
    source = messages(tmp_path, [b'{"x": 1}'])
    with pytest.raises(FeedRefusedError, match="lost what was received"):
        cut(source, "1000")


def test_each_job_is_a_source_of_its_own(tmp_path: Path) -> None:
    spool, cutter = Spool(tmp_path), MessageCutter(JSONL, file_name="")
    one = FeedRecords("a", name="feed", spool=spool, cutter=cutter, receive=Nothing)
    other = FeedRecords("b", name="feed", spool=spool, cutter=cutter, receive=Nothing)
    assert one.identify() == one.identify() != other.identify()
