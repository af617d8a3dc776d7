"""Answers in a spool as batches of records."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position, RecordReject
from tickmesh.decoding.framing import BATCH_BYTES, MAX_RECORD_BYTES
from tickmesh.decoding.opening import open_decoder
from tickmesh.decoding.source_spec import Compression, Format
from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.feeds.answers import AnswerOrigin, PageReader
from tickmesh_cleaner.sources.single_records import decode_together, places_of
from tickmesh_cleaner.sources.source import SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.spool import Spool, SpoolRecord

_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


class AnswerCutter:
    """Cuts answers into batches; none reaches beyond its answer.

    A position is the answer's offset in the spool, a colon, and the place within the answer: the
    index of a record of a JSON document, else the decoder's position; empty for its beginning.
    """

    def __init__(
        self,
        spec: SourceSpec,
        *,
        name: str,
        file_name: str,
        pages: PageReader,
        column_names: Sequence[str],
        note_names: Callable[[tuple[str, ...]], None],
    ) -> None:
        """Say how answers are decoded.

        Args:
            spec: Format and dialect of their bodies.
            name: What reports call the feed.
            file_name: The file name constants are taken from.
            pages: Finds records in JSON documents.
            column_names: The names the header of the first CSV answer gave; empty before.
            note_names: Keeps these names: by them alone a quarantined record can be read again.
        """
        self._spec = spec
        self._plain = replace(spec, compression=Compression.NONE)
        self._name = name
        self._file_name = file_name
        self._pages = pages
        self._column_names = tuple(column_names)
        self._note_names = note_names

    def offset_of(self, position: str) -> int:
        """See `Cutter.offset_of`."""
        return int(position.partition(":")[0])

    def cut(
        self, spool: Spool, *, start: str | None, end: str | None, batch_records: int
    ) -> Generator[SourceBatch, None, None]:
        """See `Cutter.cut`."""
        first = f"{spool.begin}:" if start is None else start
        begin_at, _, begin = first.partition(":")
        end_at, _, stop = (end or "").partition(":")
        for record in spool.read(int(begin_at)):
            if end_at and (record.offset > int(end_at) or end == f"{record.offset}:"):
                return
            last = bool(end_at) and record.offset == int(end_at)
            yield from self._answer(
                record, begin=begin, stop=stop if last else "", batch_records=batch_records
            )
            begin = ""

    def _answer(
        self, record: SpoolRecord, *, begin: str, stop: str, batch_records: int
    ) -> Iterator[SourceBatch]:
        """The batches of one answer; the last one ends where the next answer begins."""
        origin = AnswerOrigin.from_bytes(record.origin)
        if origin.code:
            found = _refused(record.payload, origin.code, origin.message)
        elif self._pages.is_document(record.payload):
            found = self._document(
                record.payload,
                begin=int(begin or origin.skip),
                stop=int(stop) if stop else None,
                batch_records=batch_records,
            )
        else:
            found = self._body(
                record.payload,
                begin=Position.parse(begin) if begin else _position(record.payload, origin.skip),
                stop=Position.parse(stop) if stop else None,
                batch_records=batch_records,
            )
        held: tuple[str, str, DecodedBatch] | None = None
        place = begin
        for end, decoded in found:
            if held is not None:
                yield self._batch(record, *held)
            held = (f"{record.offset}:{place}", f"{record.offset}:{end}", decoded)
            place = end
        if held is not None:
            start, _, decoded = held
            end = f"{record.offset}:{stop}" if stop else f"{record.end}:"
            yield self._batch(record, start, end, decoded)

    def _batch(
        self, record: SpoolRecord, start: str, end: str, decoded: DecodedBatch
    ) -> SourceBatch:
        offset = record.offset
        return SourceBatch(
            start=start,
            end=end,
            decoded=replace(
                decoded,
                offsets=_shifted(decoded.offsets, offset),
                rejects=tuple(
                    replace(reject, offset=reject.offset + offset) for reject in decoded.rejects
                ),
            ),
            spec=self._spec,
            file_name=self._file_name,
        )

    def _document(
        self, payload: bytes, *, begin: int, stop: int | None, batch_records: int
    ) -> Iterator[tuple[str, DecodedBatch]]:
        text, parts = self._pages.parts(payload)
        # Places in the text are places in the body only where every character is one byte.
        plain = text.isascii()
        at, measured = 0, 0
        group: list[bytes] = []
        places: list[int] = []
        size_bytes = 0
        last = len(parts) if stop is None else stop
        for index in range(begin, last):
            part = parts[index]
            raw = text[part.begin : part.end].encode().translate(_LINE_BREAKS)
            at += part.begin - measured if plain else len(text[measured : part.begin].encode())
            measured = part.begin
            if group and (len(group) >= batch_records or size_bytes + len(raw) > BATCH_BYTES):
                yield from self._records(group, places, first=index - len(group))
                group, places, size_bytes = [], [], 0
            group.append(raw)
            places.append(at)
            size_bytes += len(raw) + 1
        if group:
            yield from self._records(group, places, first=last - len(group))

    def _records(
        self, raws: Sequence[bytes], places: Sequence[int], *, first: int
    ) -> Iterator[tuple[str, DecodedBatch]]:
        decoded = decode_together(raws, self._plain)
        if decoded is None:
            middle = len(raws) // 2
            yield from self._records(raws[:middle], places[:middle], first=first)
            yield from self._records(raws[middle:], places[middle:], first=first + middle)
            return
        place_of = dict(zip(places_of(raws), places, strict=True))
        line_of = {place: first + index + 1 for index, place in enumerate(places)}
        offsets = [place_of[offset] for offset in decoded.offsets.to_pylist()]
        yield (
            str(first + len(raws)),
            replace(
                decoded,
                offsets=pa.array(offsets, pa.int64()),
                lines=pa.array([line_of[place] for place in offsets], pa.int64()),
                rejects=tuple(
                    replace(
                        reject,
                        offset=place_of[reject.offset],
                        line=line_of[place_of[reject.offset]],
                    )
                    for reject in decoded.rejects
                ),
            ),
        )

    def _body(
        self, payload: bytes, *, begin: Position, stop: Position | None, batch_records: int
    ) -> Iterator[tuple[str, DecodedBatch]]:
        batches = open_decoder(
            BytesIO(payload), self._plain, start=begin, end=stop, batch_records=batch_records
        )
        place = begin
        try:
            for decoded in batches:
                self._check_names(decoded)
                place = decoded.end
                yield place.token(), decoded
        except DecodeError as error:
            if error.code != "EMPTY":
                text = self._spec.format in {Format.CSV, Format.JSONL}
                rest = payload[place.offset :] if text else payload
                yield from _refused(
                    rest, error.code, error.message, offset=len(payload) - len(rest)
                )

    def _check_names(self, decoded: DecodedBatch) -> None:
        if self._spec.format is not Format.CSV or self._spec.csv.names:
            return
        names = tuple(decoded.columns.schema.names)
        if not self._column_names:
            self._note_names(names)
            self._column_names = names
        elif names != self._column_names:
            raise FeedRefusedError(
                self._name,
                cause=f"the header changed from {', '.join(self._column_names)} to "
                f"{', '.join(names)}; make a new job for what comes now",
            )


def _position(payload: bytes, skip: int) -> Position:
    """Where a body that has grown goes on."""
    if not skip:
        return Position()
    return Position(offset=skip, line=payload.count(b"\n", 0, skip) + 1, record=1)


def _refused(
    payload: bytes, code: str, message: str, *, offset: int = 0
) -> Iterator[tuple[str, DecodedBatch]]:
    """What cannot be decoded at all, kept whole: in as many pieces as a record's bound takes."""
    pieces = [
        RecordReject(
            offset=offset + at,
            line=0,
            raw=payload[at : at + MAX_RECORD_BYTES],
            code=code,
            message=message,
        )
        for at in range(0, max(len(payload), 1), MAX_RECORD_BYTES)
    ]
    nothing = pa.array([], pa.int64())
    end = Position(offset=offset + len(payload), line=1, record=len(pieces))
    yield (
        end.token(),
        DecodedBatch(
            start=Position(offset=offset),
            end=end,
            record_count=len(pieces),
            columns=pa.RecordBatch.from_pydict({}),
            offsets=nothing,
            lines=nothing,
            rejects=tuple(pieces),
            raw=lambda _indices: [],
        ),
    )


def _shifted(offsets: pa.Int64Array, by: int) -> Array:
    return pa.array(offsets.to_numpy(zero_copy_only=False) + by, pa.int64())
