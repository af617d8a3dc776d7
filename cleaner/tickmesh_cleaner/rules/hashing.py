"""A 64-bit hash of each row, made column by column: equal rows have equal hashes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Hashes: TypeAlias = "NDArray[np.uint64]"

_NULL = np.uint64(0x9E3779B97F4A7C15)
_POLYNOMIAL = np.uint64(0xD6E8FEB86659FD93)
_MULTIPLIERS = (np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB))


def row_hashes(columns: Sequence[Hashes], *, seed: int) -> Hashes:
    """Hash rows by the hashes of their values.

    Args:
        columns: The hashes of each column, see `column_hashes`; at least one.
        seed: Chooses the hash function: two of them are wrong about different rows.
    """
    hashes = np.full(len(columns[0]), seed + 1, dtype=np.uint64)
    for column in columns:
        hashes *= _MULTIPLIERS[seed]
        hashes += column
        hashes ^= hashes >> np.uint64(29)
    return _mixed(hashes)


def column_hashes(column: Any) -> Hashes:
    """Hash the values of a column.

    Nulls are equal to each other, and 0.0 equals -0.0. Values of up to 64 bits never share a hash.
    """
    hashes = _values_hashes(column)
    if column.null_count:
        hashes[column.is_null().to_numpy(zero_copy_only=False)] = _NULL
    return hashes


def _values_hashes(column: Any) -> Hashes:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _values_hashes(column.storage)
    if pt.is_dictionary(kind):
        values = np.append(column_hashes(column.dictionary), _NULL)
        indices = column.indices.fill_null(len(column.dictionary))
        found: Hashes = values[indices.to_numpy(zero_copy_only=False)]
        return found
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_binary(kind):
        return _text_hashes(column)
    if pt.is_boolean(kind):
        return _mixed(column.fill_null(False).to_numpy(zero_copy_only=False).astype(np.uint64))
    if pt.is_primitive(kind) or pt.is_decimal(kind):
        return _fixed_hashes(column)
    if pt.is_struct(kind) and kind.num_fields:
        return row_hashes([column_hashes(member) for member in column.flatten()], seed=0)
    # Lists and maps: rare in ticks, and of any depth.
    return np.array([_value_hash(value) for value in column.to_pylist()], dtype=np.uint64)


def _fixed_hashes(column: Any) -> Hashes:
    if pt.is_floating(column.type):
        values = column.cast(pa.float64()).fill_null(0.0).to_numpy() + 0.0
        return _mixed(values.view(np.uint64))
    width = column.type.bit_width // 8
    raw = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    raw = raw[column.offset * width : (column.offset + len(column)) * width]
    if width < 8:
        words = raw.view(f"<u{width}").astype(np.uint64).reshape(-1, 1)
    else:
        words = raw.view(np.uint64).reshape(-1, width // 8)
    hashes = _mixed(words[:, 0])
    for word in range(1, words.shape[1]):
        hashes = _mixed(hashes * _MULTIPLIERS[0] + words[:, word])
    return hashes


def _text_hashes(column: Any) -> Hashes:
    """A polynomial over the bytes of each text, modulo 2^64, with its length."""
    wide = pt.is_large_string(column.type)
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64 if wide else np.int32)
    offsets = offsets[column.offset : column.offset + len(column) + 1].astype(np.int64)
    if not len(column):
        return np.zeros(0, dtype=np.uint64)
    first, lengths = offsets[0], np.diff(offsets)
    total = int(offsets[-1] - first)
    sums = np.zeros(total + 1, dtype=np.uint64)
    if total:
        content = np.frombuffer(column.buffers()[2], dtype=np.uint8)[first : first + total]
        places = np.arange(total) - np.repeat(offsets[:-1] - first, lengths)
        terms = (content.astype(np.uint64) + np.uint64(1)) * _powers(int(lengths.max()))[places]
        np.cumsum(terms, out=sums[1:])
    bounds = offsets - first
    return _mixed(sums[bounds[1:]] - sums[bounds[:-1]] + lengths.astype(np.uint64))


def _powers(count: int) -> Hashes:
    return np.cumprod(np.full(count, _POLYNOMIAL, dtype=np.uint64), dtype=np.uint64)


def _value_hash(value: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "little")


def _mixed(values: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit reaches every other."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
