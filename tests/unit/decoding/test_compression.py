"""Packed files: the same content, and a clear word when the packing is broken."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.support.decoding import decode, lines
from tickmesh.decoding.compression import chunks
from tickmesh.decoding.decoded import DecodedBatch, DecodeError
from tickmesh.decoding.opening import open_decoder
from tickmesh.decoding.source_spec import Compression, CsvDialect, Format, SourceSpec

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = lines(*(f"{number},{number * 7}" for number in range(50_000)))
SPEC = SourceSpec(format=Format.CSV, csv=CsvDialect(names=("a", "b")))


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


PACKINGS: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: zstd,
}


@pytest.mark.parametrize("compression", PACKINGS)
def test_positions_count_in_the_unpacked_content(compression: Compression) -> None:
    packed = PACKINGS[compression](CONTENT)
    plain = decode(CONTENT, SPEC, batch_records=1_000)
    found = decode(packed, SPEC, batch_records=1_000)
    assert [batch.end for batch in found] == [batch.end for batch in plain]
    third = plain[2]
    (again,) = decode(packed, SPEC, start=third.start, end=third.end, batch_records=1_000)
    assert again.columns.equals(third.columns)


@pytest.mark.parametrize("compression", PACKINGS)
def test_concatenated_members_are_one_content(compression: Compression) -> None:
    pack = PACKINGS[compression]
    packed = pack(CONTENT[:1_000]) + pack(CONTENT[1_000:])
    assert b"".join(chunks(io.BytesIO(packed), Compression.AUTO)) == CONTENT


@pytest.mark.parametrize("compression", PACKINGS)
def test_a_truncated_file_gives_its_whole_records_and_then_says_where_it_ends(
    compression: Compression,
) -> None:
    packed = PACKINGS[compression](CONTENT)
    seen: list[DecodedBatch] = []
    batches = open_decoder(io.BytesIO(packed[: len(packed) * 3 // 4]), SPEC)
    with pytest.raises(DecodeError) as caught:
        seen.extend(batches)
    assert caught.value.code == "TRUNCATED"
    end = seen[-1].end.offset
    assert 0 < end <= caught.value.offset < len(CONTENT)
    assert CONTENT[:end].endswith(b"\n")
    assert CONTENT.find(b"\n", end) + 1 > caught.value.offset
    assert sum(batch.record_count for batch in seen) == CONTENT[:end].count(b"\n")


def test_a_damaged_file_says_after_how_many_bytes() -> None:
    packed = bytearray(gzip.compress(CONTENT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(DecodeError, match=r"damaged after \d+ unpacked bytes") as caught:
        decode(bytes(packed), SPEC)
    assert caught.value.code == "CORRUPT"


def test_a_gzip_bomb_is_unpacked_in_bounded_steps() -> None:
    packed = gzip.compress(b"0" * (256 << 20), compresslevel=1)
    largest = max(len(chunk) for chunk in chunks(io.BytesIO(packed), Compression.AUTO))
    assert largest <= 40 << 20
