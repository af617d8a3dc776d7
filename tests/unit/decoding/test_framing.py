"""Where records and batches end depends on the bytes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.decoding import in_steps
from tickmesh.decoding.decoded import DecodeError, Position
from tickmesh.decoding.framing import Frame, frames
from tickmesh.decoding.quoting import Marks, record_ends

if TYPE_CHECKING:
    from collections.abc import Iterator


def cut(content: bytes, *, step: int = 7, **limits: Any) -> list[Frame]:
    options = {"start": Position(), "end": None, **limits}
    return list(frames(in_steps(content, step), **options))


def records(found: list[Frame]) -> list[bytes]:
    return [frame.record(index) for frame in found for index in range(len(frame))]


def ends_by_state_machine(data: bytes) -> list[int]:
    """The plain definition: a quote opens a field only as its first character."""
    ends, at_start, inside, place = [], True, False, 0
    while place < len(data):
        byte = data[place : place + 1]
        if inside:
            if byte == b'"' and data[place + 1 : place + 2] == b'"':
                place += 1
            elif byte == b'"':
                inside = False
        elif at_start and byte == b'"':
            inside = True
            at_start = False
        else:
            at_start = byte in (b",", b"\n")
            if byte == b"\n":
                ends.append(place + 1)
        place += 1
    return ends


@given(st.text(alphabet='",\na', max_size=16))
def test_a_line_end_inside_quotes_ends_no_record(text: str) -> None:
    data = text.encode()
    found = record_ends(data, Marks(quote=b'"'))
    assert found.tolist() == ends_by_state_machine(data)


@given(
    st.lists(st.text(alphabet='ab,é"\r', max_size=8), max_size=30),
    st.integers(1, 9),
    st.integers(1, 40),
    st.booleans(),
)
def test_batches_do_not_depend_on_how_the_bytes_arrive(
    texts: list[str], batch_records: int, step: int, quoted: bool
) -> None:
    content = "\n".join(texts).encode()
    options: dict[str, Any] = {
        "marks": Marks(quote=b'"' if quoted else b""),
        "batch_records": batch_records,
        "batch_bytes": 64,
    }
    by_byte = cut(content, step=1, max_record_bytes=32, **options)
    in_chunks = cut(content, step=step, max_record_bytes=32, **options)
    assert [frame.end for frame in by_byte] == [frame.end for frame in in_chunks]
    assert records(by_byte) == records(in_chunks)
    assert [frame.rejects for frame in by_byte] == [frame.rejects for frame in in_chunks]


@given(
    st.lists(st.text(alphabet='ab,é"\r', max_size=8), max_size=30),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_range_decoded_again_yields_the_same_batch(
    texts: list[str], batch_records: int, quoted: bool
) -> None:
    content = "\n".join(texts).encode()
    options: dict[str, Any] = {
        "marks": Marks(quote=b'"' if quoted else b""),
        "batch_records": batch_records,
        "batch_bytes": 64,
        "max_record_bytes": 32,
    }
    for frame in cut(content, **options):
        rest = content[frame.start.offset :]
        (again,) = list(frames(in_steps(rest, 5), start=frame.start, end=frame.end, **options))
        assert (again.start, again.end) == (frame.start, frame.end)
        assert again.data == frame.data
        assert again.offsets.tolist() == frame.offsets.tolist()
        assert again.lines.tolist() == frame.lines.tolist()
        assert again.rejects == frame.rejects


@given(st.lists(st.text(alphabet="ab,é", max_size=8), max_size=30))
def test_every_line_is_a_record_at_its_offset(texts: list[str]) -> None:
    content = "\n".join(texts).encode()
    found = cut(content, batch_records=4)
    expected = [(number, text) for number, text in enumerate(texts, start=1) if text]
    got = [
        (int(line), record.decode())
        for frame in found
        for line, record in zip(frame.lines, records([frame]), strict=True)
    ]
    assert got == expected
    for frame in found:
        for index, offset in enumerate(frame.offsets):
            assert content[int(offset) :].startswith(frame.record(index))


def test_a_line_beyond_the_bound_is_rejected_with_its_place_and_the_rest_goes_on() -> None:
    content = b"first\n" + b"x" * 10_000_000 + b"\nlast\n"
    found = cut(content, step=1 << 20)
    assert records(found) == [b"first", b"last"]
    rejects = [reject for frame in found for reject in frame.rejects]
    places = [(reject.code, reject.offset, reject.line) for reject in rejects]
    assert places == [("LINE_TOO_LONG", 6, 2), ("LINE_TOO_LONG", 6 + (8 << 20), 2)]
    assert b"".join(reject.raw for reject in rejects) == b"x" * 10_000_000
    assert [int(line) for frame in found for line in frame.lines] == [1, 3]


@given(
    st.lists(st.text(alphabet='ab"', max_size=300), max_size=6),
    st.integers(1, 40),
    st.booleans(),
)
def test_whatever_is_rejected_no_byte_is_lost(texts: list[str], step: int, quoted: bool) -> None:
    content = "\n".join(texts).encode()
    found = cut(
        content,
        step=step,
        marks=Marks(quote=b'"' if quoted else b""),
        batch_bytes=64,
        max_record_bytes=32,
    )
    pieces = [
        (int(offset), frame.record(index))
        for frame in found
        for index, offset in enumerate(frame.offsets)
    ]
    pieces += [(reject.offset, reject.raw) for frame in found for reject in frame.rejects]
    rebuilt = bytearray(b"\n" * len(content))
    for offset, raw in pieces:
        rebuilt[offset : offset + len(raw)] = raw
    assert bytes(rebuilt) == content
    assert [frame.start for frame in found[1:]] == [frame.end for frame in found[:-1]]


def test_a_quote_never_closed_costs_one_line_not_the_rest_of_the_file() -> None:
    content = b'a,"b\n' + b"c,d\n" * 100
    found = cut(content, marks=Marks(quote=b'"'))
    (reject,) = [reject for frame in found for reject in frame.rejects]
    assert (reject.code, reject.line, reject.raw) == ("UNTERMINATED_QUOTE", 1, b'a,"b')
    assert len(records(found)) == 100


def test_bad_utf8_is_rejected_record_by_record() -> None:
    found = cut(b"good\nb\xffd\nalso good\n\xc3\n")
    assert records(found) == [b"good", b"also good"]
    rejects = [reject for frame in found for reject in frame.rejects]
    assert [(reject.code, reject.line) for reject in rejects] == [("BAD_UTF8", 2), ("BAD_UTF8", 4)]
    assert rejects[0].raw == b"b\xffd"
    assert "0xFF at byte 1" in rejects[0].message


def test_a_byte_order_mark_is_no_part_of_the_first_record() -> None:
    (frame,) = cut(b"\xef\xbb\xbfa\n")
    assert frame.record(0) == b"a"
    assert frame.offsets.tolist() == [3]


def test_utf16_is_refused_by_name() -> None:
    with pytest.raises(DecodeError, match="UTF-16"):
        cut("a\n".encode("utf-16"))


def test_a_source_that_became_shorter_is_noticed() -> None:
    with pytest.raises(DecodeError, match="SOURCE_CHANGED"):
        cut(b"a\nb\n", end=Position(offset=100, line=50, record=49))


def test_what_fails_in_the_middle_is_raised_after_every_whole_record() -> None:
    def content() -> Iterator[bytes]:
        yield b"whole\nhal"
        raise DecodeError("TRUNCATED", "gone", offset=9)

    seen: list[Frame] = []
    found = frames(content(), start=Position(), end=None)
    with pytest.raises(DecodeError, match="TRUNCATED"):
        seen.extend(found)
    assert records(seen) == [b"whole"]


def test_frames_are_bounded_in_records_and_bytes() -> None:
    found = cut(b"12345\n" * 100, batch_records=10, batch_bytes=30)
    assert max(len(frame.data) for frame in found) <= 30
    assert sum(map(len, found)) == 100
    assert np.all(np.array([len(frame) for frame in found]) <= 10)


def test_positions_go_through_text() -> None:
    position = Position(offset=3, line=2, record=1, inside=True)
    assert Position.parse(position.token()) == position
    position = Position(offset=3, line=2, record=1)
    assert Position.parse(position.token()) == position
    with pytest.raises(ValueError, match="not a source position"):
        Position.parse("3;2;1")
