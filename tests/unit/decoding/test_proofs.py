"""What is shown of a column at a glance holds for each of its values."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickmesh.decoding.conversion import grammar, numbers
from tickmesh.decoding.conversion.proofs import outline, plain_numbers

NUMBERS = st.lists(
    st.one_of(
        st.none(),
        st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,4})?", fullmatch=True),
        st.text(alphabet="0123.-+e /:", max_size=6),
    ),
    max_size=6,
)
TYPES = [pa.int64(), pa.int8(), pa.uint64(), pa.float64(), pa.float32(), pa.decimal128(6, 2)]


@given(NUMBERS)
@example(["1.2.3"])
@example(["-", "1"])
@example(["0.5", "00.5"])
def test_plain_numbers_are_json_numbers(values: list[str | None]) -> None:
    proof = plain_numbers(pa.array(values, pa.string()))
    texts = [value for value in values if value is not None]
    plain = all(re.fullmatch(rf"{grammar.INTEGER}(\.[0-9]+)?", text) for text in texts)
    assert (proof is not None) == plain
    if proof is not None:
        assert proof.longest == max(map(len, texts), default=0)
        assert proof.fractions == any("." in text for text in texts)


@pytest.mark.parametrize("target", TYPES, ids=str)
@given(NUMBERS)
@example(["9223372036854775808", "-9223372036854775808", "18446744073709551615"])
@example(["12345678901234567.25", "0.1234567890123456789"])
@example(["9999.99", "10000.00", "0.001", "0.0010"])
def test_a_column_is_read_as_its_values_one_by_one(
    target: pa.DataType, values: list[str | None]
) -> None:
    padded = pa.array(["7", *values, "8"], pa.string()).slice(1, len(values))
    found = numbers.from_text(padded, target)
    exact = numbers.exactly(target)
    outcomes = [None if value is None else exact(value) for value in values]
    wanted = [None if outcome is None else outcome.value for outcome in outcomes]
    values_wanted: pa.Array[Any] = pa.array(wanted, target)
    assert found.values.to_pylist() == values_wanted.to_pylist()
    failed: dict[int, Any] = {}
    for failures in found.failures:
        failed.update(dict.fromkeys(failures.rows.to_pylist(), failures.code))
    assert failed == {
        row: outcome.failure for row, outcome in enumerate(outcomes) if outcome and outcome.failure
    }


TIME = rf"{grammar.DATE}[T ]{grammar.TIME}Z"


@given(st.lists(st.from_regex(TIME, fullmatch=True), min_size=1, max_size=150), st.data())
def test_an_outline_stands_for_all_values(values: list[str], data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(values) - 1))
        values[place] = data.draw(st.text(alphabet="0T:-Zé ", max_size=30))
    look = outline(pa.array([None, *values], pa.string()))
    if look is not None and re.fullmatch(TIME, look):
        assert all(re.fullmatch(TIME, value) for value in values)


def test_values_that_differ_in_digits_only_have_an_outline() -> None:
    values = [f"2024-01-31 09:30:{second:02}.5Z" for second in range(60)] * 3
    assert outline(pa.array(values)) == "0000-00-00 00:00:00.0Z"
    assert outline(pa.array([*values, "2024-01-31 09:30:00.55Z"])) is None
    assert outline(pa.array([*values, "2024-01-31T09:30:00.5Z"])) is None
