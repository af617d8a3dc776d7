"""Unpacked content as a stream of chunks, with a clear word when the packing is broken."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.source_spec import Compression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK_BYTES: Final = 1 << 20
_PACKED_BYTES: Final = 1 << 16
_MAGIC: Final = {Compression.GZIP: b"\x1f\x8b", Compression.ZSTD: b"\x28\xb5\x2f\xfd"}


class _Member(Protocol):
    """One gzip member or zstd frame being unpacked."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Packing:
    """How to unpack one format.

    Attributes:
        step_bytes: Packed bytes unpacked at once; times the format's largest ratio (gzip 1,032,
            zstd 32,768) this bounds the memory a hostile file can take.
    """

    open_member: Callable[[], _Member]
    errors: tuple[type[Exception], ...]
    step_bytes: int


def detect_compression(first_bytes: bytes) -> Compression:
    """The packing that the first bytes of a file tell."""
    for compression, magic in _MAGIC.items():
        if first_bytes.startswith(magic):
            return compression
    return Compression.NONE


def chunks(stream: BinaryIO, compression: Compression, *, skip_bytes: int = 0) -> Iterator[bytes]:
    """Yield the unpacked content from ``skip_bytes`` on.

    Args:
        stream: The packed file, at its beginning.
        compression: How it is packed; AUTO looks at the first bytes.
        skip_bytes: Unpacked bytes to leave out at the beginning.

    Raises:
        DecodeError: TRUNCATED or CORRUPT with the unpacked offset, after all that was whole.
    """
    first = stream.read(_PACKED_BYTES)
    if compression is Compression.AUTO:
        compression = detect_compression(first)
    if compression is Compression.NONE:
        content = _plain(stream, first)
        if skip_bytes > len(first) and stream.seekable():
            stream.seek(skip_bytes - len(first), 1)
            content, skip_bytes = _plain(stream, b""), 0
    else:
        content = _unpacked(stream, first, compression)
    for chunk in content:
        if skip_bytes < len(chunk):
            yield chunk[skip_bytes:] if skip_bytes else chunk
        skip_bytes = max(0, skip_bytes - len(chunk))


def _plain(stream: BinaryIO, first: bytes) -> Iterator[bytes]:
    if first:
        yield first
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _unpacked(stream: BinaryIO, first: bytes, compression: Compression) -> Iterator[bytes]:
    """Unpack member after member: concatenated gzip files and zstd frames are one content."""
    packing = _packing(compression)
    step = packing.step_bytes
    packed = memoryview(first)
    position = 0
    member: _Member | None = None
    while packed or (packed := memoryview(stream.read(_PACKED_BYTES))):
        if member is None:
            if compression is Compression.GZIP and not bytes(packed).strip(b"\0"):
                packed = memoryview(b"")  # zero padding after the last member is common on tapes
                continue
            member = packing.open_member()
        taken, packed = packed[:step], packed[step:]
        try:
            chunk = member.decompress(bytes(taken))
        except packing.errors as error:
            raise DecodeError(
                "CORRUPT",
                f"the {compression.value} data is damaged after {position} unpacked bytes "
                f"({error}); fetch the file again",
                offset=position,
            ) from None
        position += len(chunk)
        if chunk:
            yield chunk
        if member.eof:
            packed = memoryview(member.unused_data + bytes(packed))
            member = None
    if member is not None:
        raise DecodeError(
            "TRUNCATED",
            f"the {compression.value} data ends in the middle: {position} bytes could be unpacked; "
            "fetch the file again",
            offset=position,
        )


def _packing(compression: Compression) -> _Packing:
    if compression is Compression.GZIP:
        return _Packing(
            open_member=lambda: zlib.decompressobj(wbits=31),
            errors=(zlib.error,),
            step_bytes=1 << 15,
        )
    try:
        import zstandard
    except ModuleNotFoundError:
        raise DecodeError(
            "MISSING_LIBRARY", "zstd files need `pip install 'tickmesh[clean]'`"
        ) from None
    return _Packing(
        open_member=lambda: zstandard.ZstdDecompressor().decompressobj(),
        errors=(zstandard.ZstdError,),
        step_bytes=1 << 11,
    )
