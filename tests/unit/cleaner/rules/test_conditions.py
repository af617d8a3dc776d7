"""x-tick-conditions: condition codes are known, and mark rows that are fit for use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import table
from tickmesh_cleaner.rules.condition_table import shipped_table, shipped_tables

CUSTOM = {
    "name": "two-letter",
    "version": "7",
    "separator": ",",
    "codes": {
        "RG": {"name": "regular", "updates_last": True},
        "LT": {"name": "late", "late": True, "updates_last": True},
        "CX": {"name": "cancel", "cancel": True},
    },
}


def test_each_character_of_a_us_sale_condition_is_a_code_that_must_count() -> None:
    rules = table(
        condition={"x-tick-conditions": {"table": "us-equity-sales", "require": ["updates_last"]}}
    )
    conditions = ["@", "@  I", " F I", "@F", "", "@ T ", "?", None]
    ruling = rules.judge([{"condition": condition} for condition in conditions])
    assert {row: reasons[0].message for row, reasons in ruling.held.items()} == {
        1: "'@  I': 'I' (odd lot) is not updates_last",
        2: "' F I': 'I' (odd lot) is not updates_last",
        5: "'@ T ': 'T' (extended hours) is not updates_last",
        6: "'?' has the code '?', which us-equity-sales 1 does not know",
    }


@given(
    st.lists(st.lists(st.sampled_from(["RG", "LT", "CX", "ZZ"]), max_size=3).map(",".join)),
    st.sampled_from(["refuse", "allow"]),
)
def test_it_finds_what_looking_row_by_row_finds(conditions: list[str], unknown: str) -> None:
    rules = table(
        condition={
            "x-tick-conditions": {
                "table": CUSTOM,
                "require": ["updates_last"],
                "forbid": ["late"],
                "unknown": unknown,
            }
        }
    )
    fit = {"RG", ""} | ({"ZZ"} if unknown == "allow" else set())
    expected = [
        row for row, condition in enumerate(conditions) if not fit.issuperset(condition.split(","))
    ]
    assert list(rules.judge([{"condition": text} for text in conditions]).held) == expected


@pytest.mark.parametrize("name", shipped_tables())
def test_every_shipped_table_can_be_read_and_says_something_of_each_code(name: str) -> None:
    found = shipped_table(name)
    assert found is not None
    assert found.name == name
    assert all(meaning.name for meaning in found.codes.values())
