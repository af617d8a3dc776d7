"""Arrow compute functions, looked up once and typed for what this package asks of them.

`pyarrow.compute.<name>` looks its arguments over at every call; the functions themselves do not.
They take a list of arrays or scalars and prepared options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

Array: TypeAlias = "pa.Array[Any]"


class ArrayKernel(Protocol):
    """A function from arrays to an array."""

    def __call__(self, arguments: Sequence[object], options: object = None) -> Array:
        """Call the function with options prepared beforehand."""


class MaskKernel(Protocol):
    """A function from arrays to booleans."""

    def __call__(self, arguments: Sequence[object], options: object = None) -> pa.BooleanArray:
        """Call the function with options prepared beforehand."""


class ScalarKernel(Protocol):
    """A function from an array to one value."""

    def __call__(self, arguments: Sequence[object], options: object = None) -> pa.Scalar[Any]:
        """Call the function with options prepared beforehand."""


def _call(name: str) -> Any:
    return pc.get_function(name).call


and_kleene: MaskKernel = _call("and_kleene")
or_kleene: MaskKernel = _call("or_kleene")
both: MaskKernel = _call("and")
invert: MaskKernel = _call("invert")
if_else_mask: MaskKernel = _call("if_else")
coalesce_mask: MaskKernel = _call("coalesce")
replace_mask: MaskKernel = _call("replace_with_mask")
is_null: MaskKernel = _call("is_null")
is_in: MaskKernel = _call("is_in")
is_finite: MaskKernel = _call("is_finite")
equal: MaskKernel = _call("equal")
less: MaskKernel = _call("less")
less_equal: MaskKernel = _call("less_equal")
greater: MaskKernel = _call("greater")
greater_equal: MaskKernel = _call("greater_equal")
starts_with: MaskKernel = _call("starts_with")
match_regex: MaskKernel = _call("match_substring_regex")

add: ArrayKernel = _call("add")
subtract: ArrayKernel = _call("subtract")
multiply: ArrayKernel = _call("multiply")
divide: ArrayKernel = _call("divide")
absolute: ArrayKernel = _call("abs")
floor: ArrayKernel = _call("floor")
rounded: ArrayKernel = _call("round")
running_sum: ArrayKernel = _call("cumulative_sum")
bit_or: ArrayKernel = _call("bit_wise_or")
if_else: ArrayKernel = _call("if_else")
replace: ArrayKernel = _call("replace_with_mask")
filtered: ArrayKernel = _call("array_filter")
true_indices: ArrayKernel = _call("indices_nonzero")
utf8_length: ArrayKernel = _call("utf8_length")
binary_length: ArrayKernel = _call("binary_length")
join: ArrayKernel = _call("binary_join_element_wise")
replace_substring: ArrayKernel = _call("replace_substring")
run_end_decode: ArrayKernel = _call("run_end_decode")
list_flatten: ArrayKernel = _call("list_flatten")
list_parents: ArrayKernel = _call("list_parent_indices")
list_length: ArrayKernel = _call("list_value_length")

total: ScalarKernel = _call("sum")
extremes: ScalarKernel = _call("min_max")


def struct_field(array: Array, position: int) -> Array:
    """A child of a struct column, null where the struct is: `StructArray.field` forgets that."""
    child: Array = pc.struct_field(array, [position])
    return child


def ordinals(length: int) -> Array:
    """0, 1, … length - 1."""
    ones = pa.repeat(pa.scalar(1, pa.int64()), length)
    return subtract([running_sum([ones]), pa.scalar(1, pa.int64())])
