"""docs/validation.md shows what the validator does: its table and its example are executed.

`pytest tests/unit/schema/validation --update-golden` writes the table anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.schema.validation import Decision, compile_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PAGE = Path(__file__).resolve().parents[4] / "docs" / "validation.md"
BEGIN, END = "<!-- begin: what explain() says -->\n", "<!-- end: what explain() says -->"
LONGEST = 40
DICTIONARY = pa.dictionary(pa.int32(), pa.string())
LEVEL = pa.struct([("price", pa.float64()), ("size", pa.int64())])

SHOWN: list[tuple[pa.DataType, Any]] = [
    (pa.string(), {"type": "string", "minLength": 1, "maxLength": 8}),
    (pa.string(), {"pattern": "^T[0-9]{10}$"}),
    (pa.string(), {"pattern": "^[A-Z.]{1,6}$"}),
    (pa.string(), {"pattern": "^(buy|sell)$"}),
    (pa.string(), {"pattern": "^BTC"}),
    (pa.string(), {"pattern": r"^\d+\.\d{2}$"}),
    (pa.string(), {"pattern": "^(?!TEST)"}),
    (pa.string(), {"enum": ["XNYS", "XNAS"]}),
    (DICTIONARY, {"enum": ["XNYS", "XNAS"], "maxLength": 4}),
    (pa.string(), {"format": "date-time"}),
    (pa.string(), {"format": "uri"}),
    (pa.timestamp("ns", "UTC"), {"format": "date-time"}),
    (pa.timestamp("ns", "UTC"), {"type": "integer", "minimum": 0}),
    (pa.int64(), {"type": "integer", "minimum": 1, "multipleOf": 100}),
    (pa.uint8(), {"minimum": 0, "maximum": 300}),
    (pa.float64(), {"type": "integer"}),
    (pa.float64(), {"exclusiveMinimum": 0, "multipleOf": 0.01}),
    (pa.decimal128(18, 4), {"minimum": 0, "multipleOf": 0.05}),
    (pa.bool_(), {"const": True}),
    (pa.bool_(), {"type": "number"}),
    (pa.list_(pa.int64()), {"items": {"minimum": 0}, "minItems": 1, "uniqueItems": True}),
    (pa.list_(LEVEL), {"items": {"required": ["price"]}, "contains": {"type": "object"}}),
    (LEVEL, {"additionalProperties": False, "properties": {"price": True}}),
    (LEVEL, {"minProperties": 1, "dependentRequired": {"price": ["size"]}}),
    (LEVEL, {"const": {"price": 1.5, "size": 1}}),
    (LEVEL, {"allOf": [{"properties": {"price": True}}], "unevaluatedProperties": False}),
    (LEVEL, {"anyOf": [{"properties": {"price": True}}], "unevaluatedProperties": False}),
    (pa.map_(pa.string(), pa.int64()), {"propertyNames": {"maxLength": 4}}),
    (pa.int64(), {"anyOf": [{"minimum": 10}, {"multipleOf": 2}]}),
    (pa.int64(), {"if": {"minimum": 10}, "then": {"multipleOf": 2}}),
]


def explained() -> str:
    lines = ["| Arrow type | keyword | decision | what it became | proof |", "| --- " * 5 + "|"]
    for data_type, schema in SHOWN:
        arrow_schema = pa.schema([("x", data_type)])
        validator = compile_schema({"properties": {"x": schema}}, arrow_schema)
        for line in validator.explain().keywords:
            value = schema
            for token in line.schema_path.split("/")[3:]:
                value = value[int(token)] if isinstance(value, list) else value[token]
            place = line.instance_path.removeprefix("/x")
            shown = f"`{place and place + ' '}{line.keyword}: {cell(value)}`"
            lines.append(
                f"| {short(data_type)} | {shown} | {line.decision.value} | {code(line.detail)} "
                f"| {line.proof} |"
            )
    return "\n".join(lines) + "\n"


def short(data_type: pa.DataType) -> str:
    return "dictionary" if data_type == DICTIONARY else str(data_type).split("<", 1)[0]


def cell(value: Any) -> str:
    return json.dumps(value).replace("|", "\\|")


def code(detail: str) -> str:
    if not detail.startswith("RE2"):
        return detail
    cut = detail if len(detail) <= LONGEST else f"{detail[:LONGEST]} …"
    return "`" + cut.replace("|", "\\|") + "`"


def test_the_table_is_what_explain_says(assert_golden: Callable[[Path, str], None]) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    assert_golden(PAGE, f"{before}{BEGIN}\n{explained()}\n{END}{after}")


def test_every_decision_is_shown() -> None:
    table = explained()
    assert all(f"| {decision.value} |" in table for decision in Decision)


def test_the_example_does_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(compile(block[1], str(PAGE), "exec"), names)
    assert names["verdicts"].good.to_pylist() == [True, False, False]
    assert names["good"].num_rows == 1
    printed = capsys.readouterr().out
    assert "PATTERN /symbol /properties/symbol/pattern" in printed
    assert "ns/row" in printed
