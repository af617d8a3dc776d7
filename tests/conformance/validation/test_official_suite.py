"""The official suite on columns: a decline is allowed, a wrong mask never."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa
import pytest

from tests.conformance.validation.suite import Group, columns, groups, remotes
from tests.support.shared_data import shared_folder
from tickmesh.schema.validation import (
    FormatMode,
    NullMeans,
    UnsupportedSchemaError,
    Validator,
)

# Keywords whose groups may be declined as a whole.
_DECLINED = ("unevaluatedProperties", "unevaluatedItems", "dynamicRef", "dynamicAnchor")


class Tally:
    def __init__(self) -> None:
        self.tests = self.representable = self.decided = self.verdicts = 0
        self.wrong: list[str] = []
        self.undecided: list[str] = []

    def run(self, group: Group, folder_remotes: dict[str, Any], mode: FormatMode) -> None:
        for test in group.tests:
            self.tests += 1
            encodings = columns(test["data"])
            if not encodings:
                continue
            self.representable += 1
            batches = [(group.wrapped, pa.record_batch({"x": column})) for column in encodings]
            if test["data"] and isinstance(encodings[0], pa.StructArray):
                row = pa.RecordBatch.from_struct_array(encodings[0])
                batches.append((group.bare, row))
            decided = True
            for schema, batch in batches:
                decided &= self._judge(group, test, schema(folder_remotes), batch, mode)
            self.decided += decided
            if not decided:
                self.undecided.append(group.name)

    def _judge(
        self,
        group: Group,
        test: dict[str, Any],
        schema: tuple[Any, dict[str, Any]],
        batch: pa.RecordBatch,
        mode: FormatMode,
    ) -> bool:
        try:
            validator = Validator(
                schema[0],
                batch.schema,
                null_means=NullMeans.NULL,
                formats=mode,
                references=schema[1],
            )
        except UnsupportedSchemaError:
            return False
        verdicts = validator.check(batch)
        self.verdicts += 1
        if verdicts.good.to_pylist() != [test["valid"]]:
            self.wrong.append(f"{group.name} / {test['description']} / {batch.schema}")
        masked = verdicts.reason_mask[0].as_py()
        if bool(masked) is test["valid"] or bool(verdicts.reasons(0)) is test["valid"]:
            self.wrong.append(f"{group.name} / {test['description']} / reasons")
        return verdicts.oracle_rows == 0


@pytest.mark.parametrize("dialect", ["draft2020-12", "draft7"])
def test_no_mask_is_wrong_and_most_tests_need_no_oracle(
    dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_folder("json-schema-test-suite")
    folder_remotes = remotes(folder, dialect)
    everything, compiled = Tally(), Tally()
    for group in groups(folder, dialect):
        everything.run(group, folder_remotes, FormatMode.ANNOTATE)
        text = str(group.schema)
        if not any(keyword in text for keyword in _DECLINED):
            compiled.run(group, folder_remotes, FormatMode.ANNOTATE)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{dialect}: {everything.tests} tests, {everything.representable} hold in a column, "
            f"{everything.decided} decided without the oracle, {everything.verdicts} verdicts; "
            f"{compiled.decided} of {compiled.representable} in groups whose keywords compile"
        )
    assert everything.wrong == []
    assert everything.decided >= 0.70 * everything.tests
    assert compiled.decided >= 0.95 * compiled.representable


@pytest.mark.parametrize("dialect", ["draft2020-12", "draft7"])
def test_no_asserted_format_is_wrong(dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_folder("json-schema-test-suite")
    tally = Tally()
    for group in groups(folder, dialect, formats=True):
        tally.run(group, {}, FormatMode.ASSERT)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{dialect} formats: {tally.tests} tests, {tally.decided} without the oracle"
        )
    assert tally.wrong == []
