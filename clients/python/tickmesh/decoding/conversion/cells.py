"""What a conversion of a column gives, and the slow, exact way for the cells that need it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import any_true, int64_array, nulls, pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array

NOT_A_NUMBER: Final = "NOT_A_NUMBER"
NOT_AN_INTEGER: Final = "NOT_AN_INTEGER"
NOT_A_BOOLEAN: Final = "NOT_A_BOOLEAN"
NOT_A_STRING: Final = "NOT_A_STRING"
NOT_A_TIME: Final = "NOT_A_TIME"
NOT_A_DATE: Final = "NOT_A_DATE"
NOT_THE_TYPE: Final = "NOT_THE_TYPE"
NONFINITE: Final = "NONFINITE"
REPR_OVERFLOW: Final = "REPR_OVERFLOW"
REPR_PRECISION: Final = "REPR_PRECISION"
AMBIGUOUS_TIME: Final = "AMBIGUOUS_TIME"
NONEXISTENT_TIME: Final = "NONEXISTENT_TIME"
UNMAPPED_VALUE: Final = "UNMAPPED_VALUE"
NO_SUCH_PART: Final = "NO_SUCH_PART"

FAILURE_MESSAGES: Final = {
    NOT_A_NUMBER: "expected a number in JSON's grammar",
    NOT_AN_INTEGER: "expected a whole number",
    NOT_A_BOOLEAN: "expected true or false",
    NOT_A_STRING: "expected text",
    NOT_A_TIME: "expected an instant in the form the source spec states",
    NOT_A_DATE: "expected a date YYYY-MM-DD",
    NOT_THE_TYPE: "expected a value of the field's type",
    NONFINITE: "expected a finite number",
    REPR_OVERFLOW: "the value is beyond what the field's Arrow type can hold",
    REPR_PRECISION: "the value has more digits than the field's Arrow type can hold",
    AMBIGUOUS_TIME: "the clock shows that local time twice on that day; give UTC or an offset, or "
    "say with `ambiguous` which it is",
    NONEXISTENT_TIME: "the clock skips that local time on that day; give UTC or an offset, or say "
    "with `nonexistent` what it is",
    NO_SUCH_PART: "the source spec takes a part of the text that is not there",
    UNMAPPED_VALUE: "the source spec maps other values of this field, not this one",
}

INTEGRAL_NUMBER: Final = "INTEGRAL_NUMBER"
NUMBER_FROM_TEXT: Final = "NUMBER_FROM_TEXT"
TEXT_FROM_NUMBER: Final = "TEXT_FROM_NUMBER"
NULL_VALUE: Final = "NULL_VALUE"
VALUE_MAPPED: Final = "VALUE_MAPPED"
CASE_CHANGED: Final = "CASE_CHANGED"
SCALED: Final = "SCALED"
TIME_CONVERTED: Final = "TIME_CONVERTED"
ROUNDED_TO_DOUBLE: Final = "ROUNDED_TO_DOUBLE"
LOCAL_TIME_RESOLVED: Final = "LOCAL_TIME_RESOLVED"
DECIMAL_COMMA: Final = "DECIMAL_COMMA"
VALUE_EXTRACTED: Final = "VALUE_EXTRACTED"
ENCODING_UNDONE: Final = "ENCODING_UNDONE"


class Outcome(NamedTuple):
    """What became of one value: a value, or the code of what is wrong with it."""

    value: object = None
    failure: str | None = None
    coercion: str | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """Cells that could not be converted, for one reason.

    Attributes:
        code: The reason, UPPER_SNAKE; ``FAILURE_MESSAGES`` says it in words.
        rows: Their rows.
        raw: What stood there: source text, or JSON text when the source is typed.
        parts: Whether ``raw`` is a JSON object of the parts that failed, by their paths.
    """

    code: str
    rows: Array
    raw: Array
    parts: bool = False


@dataclass(slots=True)
class Converted:
    """A converted column: failed cells are null.

    Attributes:
        values: The column, of the wanted type.
        failures: What failed.
        coercions: How many cells were changed on the way, by code.
    """

    values: Array
    failures: list[Failures] = field(default_factory=list)
    coercions: Counter[str] = field(default_factory=Counter)

    def then(self, step: Callable[[Array], Converted]) -> Converted:
        """This conversion followed by another."""
        following = step(self.values)
        following.failures = [*self.failures, *following.failures]
        following.coercions = self.coercions + following.coercions
        return following

    def filtered(self, keep: NDArray[np.bool_]) -> Converted:
        """The cells of some rows."""
        place = np.cumsum(keep) - 1
        failures = []
        for item in self.failures:
            rows = np.asarray(item.rows)
            kept = keep[rows]
            if kept.any():
                raw = item.raw.filter(pa.array(kept))
                moved = int64_array(place[rows[kept]])
                failures.append(Failures(item.code, moved, raw, item.parts))
        return Converted(self.values.filter(pa.array(keep)), failures, self.coercions)

    def followed_by(self, other: Converted) -> Converted:
        """These cells and then those of another column of the same type."""
        first = len(self.values)
        moved = [
            Failures(item.code, pc.add(item.rows, first), item.raw, item.parts)
            for item in other.failures
        ]
        values = [self.values, other.values]
        if pa.types.is_dictionary(self.values.type):
            values = pa.chunked_array(values).unify_dictionaries().chunks
        return Converted(
            pa.concat_arrays(values),
            [*self.failures, *moved],
            self.coercions + other.coercions,
        )


def convert_the_rest(
    column: Array,
    done: Array,
    sure: Array | None,
    exact: Callable[[Any], Outcome],
) -> Converted:
    """Convert the cells that a kernel could not surely convert, one distinct value at a time.

    Args:
        column: What is converted.
        done: The converted column, null where ``sure`` is not true.
        sure: True where ``done`` is right; None means nowhere.
        exact: Converts one value, as ``to_pylist`` gives it.
    """
    rest = (
        column.is_valid() if sure is None else pc.and_not(column.is_valid(), sure.fill_null(False))
    )
    if not any_true(rest):
        return Converted(done)
    rows = pc.indices_nonzero(rest).cast(pa.int64())
    encoded = column.take(rows).dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    outcomes = [exact(value) for value in distinct]
    found = pa.array([outcome.value for outcome in outcomes], type=done.type)
    converted = Converted(pc.replace_with_mask(done, rest, found.take(encoded.indices)))
    for kind, note in (("failure", converted.failures), ("coercion", converted.coercions)):
        codes = [getattr(outcome, kind) for outcome in outcomes]
        for code in sorted({code for code in codes if code is not None}):
            members = pa.array([index for index, each in enumerate(codes) if each == code])
            hit = pc.is_in(encoded.indices, value_set=members.cast(encoded.indices.type))
            if isinstance(note, Counter):
                note[code] += hit.true_count
            else:
                texts = pa.array([raw_text(value) for value in distinct], pa.string())
                raw = texts.take(encoded.indices.filter(hit))
                note.append(Failures(code, rows.filter(hit), raw))
    return converted


def all_failed(column: Array, code: str, target: pa.DataType) -> Converted:
    """Every value of the column fails for the same reason; nulls stay null."""
    return fail_where(column, column.is_valid(), code, nulls(len(column), target))


def fail_where(column: Array, mask: Array, code: str, values: Array) -> Converted:
    """Make null the ``values`` where the mask is true, and note the column's value as failed."""
    if not any_true(mask):
        return Converted(values)
    rows = pc.indices_nonzero(mask.fill_null(False)).cast(pa.int64())
    raw = pa.array([raw_text(value) for value in column.take(rows).to_pylist()], pa.string())
    kept = pc.if_else(mask.fill_null(False), pa.scalar(None, values.type), values)
    return Converted(kept, [Failures(code, rows, raw)])


def raw_text(value: object) -> str:
    """A value as it is shown: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False)
