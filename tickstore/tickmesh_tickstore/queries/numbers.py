"""Numbers of Arrow columns as numpy arrays: exact where the type is, without a limit of digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.field_metadata import SCALE_KEY
from tickmesh_tickstore.domain.errors import InvalidArgumentError, LimitExceededError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["NumberType", "Numbers", "absolute", "added", "arrow_array", "multiplied", "summed"]

Numbers = np.ndarray[Any, Any]
"""float64, int64, or Python integers in an array of objects where 64 bits may not do."""

_SAFE = 1 << 62
_LIMB = 1 << 64
_DECIMAL128_DIGITS, _DECIMAL256_DIGITS = 38, 76


@dataclass(frozen=True, slots=True)
class NumberType:
    """How the numbers of a column are computed with, and how they are given back.

    Attributes:
        stored: The column's type.
        scale: Digits after the point: a value is an integer times 10^-scale; `None` for floating
            point.
        shown: The type of a single value in an answer. A scaled integer becomes a decimal, which
            says its scale itself.
    """

    stored: pa.DataType
    scale: int | None
    shown: pa.DataType

    @classmethod
    def of(cls, field: pa.Field[Any]) -> NumberType:
        """The numbers of a column.

        Raises:
            InvalidArgumentError: It holds none.
        """
        kind = field.type
        if pt.is_floating(kind):
            return cls(kind, None, kind)
        if pt.is_decimal(kind):
            return cls(kind, kind.scale, kind)
        if pt.is_integer(kind):
            scale = (field.metadata or {}).get(SCALE_KEY)
            if scale is None:
                return cls(kind, 0, kind)
            return cls(kind, int(scale), pa.decimal128(_DECIMAL128_DIGITS, int(scale)))
        raise InvalidArgumentError(
            f"column {field.name!r} is {kind}, expected integers, decimals or floating point",
            metadata={"column": field.name, "type": str(kind)},
        )

    @property
    def summed(self) -> pa.DataType:
        """The type of a sum of its values."""
        if self.scale is None:
            return pa.float64()
        if pt.is_decimal(self.shown):
            return _widest(self.shown)
        return pa.uint64() if self.stored.equals(pa.uint64()) else pa.int64()

    def product(self, other: NumberType) -> NumberType:
        """The numbers that are products of this and another column's; decimals where exact."""
        if self.scale is None or other.scale is None:
            return NumberType(pa.float64(), None, pa.float64())
        scale = self.scale + other.scale
        wide = any(pt.is_decimal256(each.stored) for each in (self, other))
        if wide or scale > _DECIMAL128_DIGITS:
            kind: pa.DataType = pa.decimal256(_DECIMAL256_DIGITS, scale)
        else:
            kind = pa.decimal128(_DECIMAL128_DIGITS, scale)
        return NumberType(kind, scale, kind)

    def products(self, values: Numbers, other: NumberType, others: Numbers) -> Numbers:
        """The numbers of `product`, of values of this column and of another."""
        if self.scale is None or other.scale is None:
            return self.as_doubles(values) * other.as_doubles(others)
        return multiplied(values, others)

    def values(self, column: pa.Array[Any]) -> Numbers:
        """The numbers of a column, 0 for null: integers before scaling, or doubles."""
        if self.scale is None:
            return _numpy(column.cast(pa.float64()).fill_null(0.0))
        if pt.is_decimal(column.type):
            return _from_limbs(_limbs_of(column))
        column = column.fill_null(0)
        if pt.is_uint64(column.type):
            unsigned = _numpy(column)
            small = len(unsigned) == 0 or int(unsigned.max()) < _SAFE
            return unsigned.astype(np.int64 if small else object)
        return _numpy(column.cast(pa.int64()))

    def as_doubles(self, values: Numbers) -> npt.NDArray[np.float64]:
        """Values as the doubles next to what they stand for."""
        if not self.scale:
            return values.astype(np.float64)
        doubles: npt.NDArray[np.float64] = (values / 10**self.scale).astype(np.float64)
        return doubles


def summed(values: Numbers, starts: npt.NDArray[np.intp]) -> Numbers:
    """Sums of consecutive runs, which begin at `starts`; integers never wrap."""
    if values.dtype == np.int64 and _greatest(values) * len(values) >= _SAFE:
        values = values.astype(object)
    sums: Numbers = np.add.reduceat(values, starts)
    return sums


def added(left: Numbers, right: Numbers) -> Numbers:
    """Sums pair by pair; integers never wrap."""
    if left.dtype == right.dtype == np.int64 and _greatest(left) + _greatest(right) >= _SAFE:
        left = left.astype(object)
    total: Numbers = left + right
    return total


def multiplied(left: Numbers, right: Numbers) -> Numbers:
    """Products pair by pair; integers never wrap."""
    if left.dtype == right.dtype == np.int64 and _greatest(left) * _greatest(right) >= _SAFE:
        left = left.astype(object)
    product: Numbers = left * right
    return product


def absolute(values: Numbers) -> Numbers:
    """Values without their signs; the least of 64 bits does not wrap."""
    if values.dtype == np.int64 and len(values) and int(values.min()) == np.iinfo(np.int64).min:
        values = values.astype(object)
    unsigned: Numbers = np.abs(values)
    return unsigned


def arrow_array(
    values: Numbers, kind: pa.DataType, *, valid: npt.NDArray[np.bool_] | None = None
) -> pa.Array[Any]:
    """Computed values as a column of a type of `NumberType`, null where not `valid`.

    Raises:
        LimitExceededError: A value has more digits than the type.
    """
    if pt.is_decimal(kind):
        column = _decimals(values, kind)
    else:
        try:
            if values.dtype == object:
                column = pa.array(values.tolist(), kind)
            else:
                column = pa.array(values).cast(kind)
        except (OverflowError, pa.ArrowInvalid):
            raise _too_long(kind) from None
    if valid is None or valid.all():
        return column
    nulled: pa.Array[Any] = pc.if_else(pa.array(valid), column, pa.scalar(None, kind))
    return nulled


def _decimals(values: Numbers, kind: Any) -> pa.Array[Any]:
    width = kind.bit_width // 64
    limbs = np.empty((len(values), width), np.int64)
    if _greatest(values) >= 10**kind.precision:
        raise _too_long(kind)
    if values.dtype == object:
        for place in range(width):
            limb = (values >> (64 * place)) & (_LIMB - 1)
            limbs[:, place] = limb.astype(np.uint64).view(np.int64)
    else:
        limbs[:, 0] = values
        limbs[:, 1:] = (values >> 63)[:, None]
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(limbs.tobytes())])


def _limbs_of(column: pa.Array[Any]) -> npt.NDArray[np.int64]:
    """The 64-bit parts of decimals, least first, 0 for null."""
    width = column.type.bit_width // 64
    data: Any = column.buffers()[1]  # the stubs do not know that it can be viewed
    raw = np.frombuffer(data, np.int64)
    limbs: npt.NDArray[np.int64] = raw[
        column.offset * width : (column.offset + len(column)) * width
    ].reshape(-1, width)
    if column.null_count:
        limbs = limbs * _numpy(column.is_valid())[:, None]
    return limbs


def _from_limbs(limbs: npt.NDArray[np.int64]) -> Numbers:
    low = limbs[:, 0]
    if bool((limbs[:, 1:] == (low >> 63)[:, None]).all()):
        return np.ascontiguousarray(low)
    total = limbs[:, -1].astype(object)
    for place in range(limbs.shape[1] - 2, -1, -1):
        low_part = np.ascontiguousarray(limbs[:, place]).view(np.uint64)
        total = total * _LIMB + low_part.astype(object)
    return total


def _widest(kind: Any) -> pa.DataType:
    if pt.is_decimal256(kind):
        return pa.decimal256(_DECIMAL256_DIGITS, kind.scale)
    return pa.decimal128(_DECIMAL128_DIGITS, kind.scale)


def _greatest(values: Numbers) -> int:
    """The greatest absolute value of integers."""
    return max(int(values.max()), -int(values.min())) if len(values) else 0


def _too_long(kind: pa.DataType) -> LimitExceededError:
    return LimitExceededError(
        f"a sum has more digits than {kind} holds: ask for narrower bars or a smaller range",
        metadata={"type": str(kind)},
    )


def _numpy(column: pa.Array[Any]) -> Numbers:
    return column.to_numpy(zero_copy_only=False)
