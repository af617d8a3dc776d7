"""Each trap between readers, columns and JSON has a file that says what becomes of it.

`pytest tests/unit/schema/validation --update-golden` writes the files anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.unit.schema.validation.test_traps import TRAPS
from tickmesh.schema.validation import NullMeans, compile_schema

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"


def file_of(name: str) -> Path:
    return GOLDEN / f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.json"


def told(schema: Any, column: Any) -> dict[str, Any]:
    """What a validator makes of a column, for each meaning of null."""
    batch = pa.record_batch({"x": column})
    whole = {"properties": {"x": schema}}
    found: dict[str, Any] = {
        "schema": schema,
        "arrow_type": str(column.type),
        "cells": [str(cell) for cell in column],
        "keywords": [
            f"{line.instance_path} {line.keyword}: {line.decision.value}, {line.detail}"
            for line in compile_schema(whole, batch.schema).explain().keywords
        ],
    }
    for null_means in NullMeans:
        verdicts = compile_schema(whole, batch.schema, null_means=null_means).check(batch)
        rows = range(batch.num_rows)
        found[f"null_means_{null_means.value}"] = {
            "reasons": [[reason.code for reason in verdicts.reasons(row)] for row in rows],
            "rows_for_the_oracle": verdicts.oracle_rows,
        }
    return found


@pytest.mark.parametrize("name", TRAPS)
def test_the_outcome_is_the_recorded_one(
    name: str, assert_golden: Callable[[Path, str], None]
) -> None:
    schema, column, expected = TRAPS[name]
    outcome = told(schema, column)
    found = [not reasons for reasons in outcome["null_means_either"]["reasons"]]
    assert found == expected
    text = json.dumps({"trap": name, **outcome}, indent=2, ensure_ascii=True, default=str)
    assert_golden(file_of(name), f"{text}\n")


def test_no_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {file_of(name).name for name in TRAPS}
