"""One rule, one file, one test, one page; and what the pages show is what happens."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.schema import parse_schema, project
from tickmesh_cleaner.rules import FLAG_BITS, RuleError, RuleSet, RuleState, Ruling, compile_rules
from tickmesh_cleaner.rules.calendar import shipped_names
from tickmesh_cleaner.rules.catalogue import RULES
from tickmesh_cleaner.rules.condition_table import shipped_tables

ROOT = Path(__file__).resolve().parents[4]
PAGES = ROOT / "docs" / "rules"


def page_of(keyword: str) -> str:
    return (PAGES / f"{keyword.removeprefix('x-tick-')}.md").read_text("utf-8")


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None, f"the page shows no {language}"
    return found.group(1)


def compiled(schema: dict[str, Any]) -> tuple[RuleSet, pa.Schema]:
    document = parse_schema(json.dumps(schema))
    columns = project(document, subject="ticks.page", version=1)
    return compile_rules(document, columns), columns


def rows_of(text: str, columns: pa.Schema) -> tuple[pa.RecordBatch, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    arrays = [
        pa.array([row[name] or None for row in rows]).cast(columns.field(name).type)
        for name in columns.names
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns), [row["verdict"] for row in rows]


def verdicts_of(ruling: Ruling) -> list[str]:
    repaired = {value.row: value.code for value in ruling.repaired}
    verdicts = []
    for row, bits in enumerate(ruling.flags.tolist()):
        if row in ruling.held:
            verdicts.append(" ".join(reason.code for reason in ruling.held[row]))
        elif row in ruling.dropped:
            verdicts.append("dropped")
        elif bits:
            codes = [code for code, bit in FLAG_BITS.items() if bits & 1 << bit]
            verdicts.append(" ".join(["flagged", *codes]))
        else:
            verdicts.append(f"repaired {repaired[row]}" if row in repaired else "stored")
    return verdicts


@pytest.mark.parametrize("keyword", RULES)
def test_the_example_of_a_page_gets_the_verdicts_it_shows(keyword: str) -> None:
    page = page_of(keyword)
    rules, columns = compiled(json.loads(block(page, "json")))
    assert {rule.keyword for rule in rules.rules} == {keyword}
    batch, expected = rows_of(block(page, "csv"), columns)
    assert verdicts_of(rules.judge(batch, RuleState())) == expected
    assert set(expected) > {"stored"}, "an example shows a row that breaks the rule"


@pytest.mark.parametrize("keyword", RULES)
def test_a_page_names_every_parameter_and_every_code_of_its_rule(keyword: str) -> None:
    page = page_of(keyword)
    schema = json.loads(block(page, "json"))
    places = [schema, *schema["properties"].values()]
    (stated, *_) = [place for place in places if keyword in place]
    value = stated[keyword]
    stated[keyword] = {**(value if isinstance(value, dict) else {}), "?": 1}
    if not isinstance(value, dict | bool):
        stated[keyword][RULES[keyword].shorthand] = value
    with pytest.raises(RuleError, match="is no parameter") as refused:
        compiled(schema)
    names = refused.value.message.partition("these are: ")[2].split(", ")
    assert "severity" in names
    table = page[: page.index("## Example")]
    assert [name for name in names if f"`{name}`" not in table] == []
    source = Path(_module_of(keyword)).read_text("utf-8")
    codes = set(re.findall(r"\"(TICK_[A-Z_]+)\"", source))
    assert codes <= FLAG_BITS.keys()
    assert [code for code in codes if f"`{code}`" not in page] == []


@pytest.mark.parametrize("keyword", RULES)
def test_every_rule_has_one_file_one_test_and_a_line_in_the_index(keyword: str) -> None:
    module = Path(_module_of(keyword))
    assert (Path(__file__).parent / f"test_{module.stem}.py").exists()
    name = keyword.removeprefix("x-tick-")
    index = (PAGES / "README.md").read_text("utf-8")
    assert f"| [`{keyword}`]({name}.md) | {RULES[keyword].stands_at} |" in index


def test_there_is_no_page_without_a_rule_and_every_code_has_its_bit_in_the_index() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == {keyword.removeprefix("x-tick-") for keyword in RULES}
    index = (PAGES / "README.md").read_text("utf-8")
    for code, bit in FLAG_BITS.items():
        assert f"| {bit} | `{code}` |" in index


def test_shipped_data_is_named_on_its_page() -> None:
    assert all(f"`{name}`" in page_of("x-tick-session") for name in shipped_names())
    assert all(f"`{name}`" in page_of("x-tick-conditions") for name in shipped_tables())


def _module_of(keyword: str) -> str:
    module = RULES[keyword].__module__.rpartition(".")[2]
    return str(ROOT / "cleaner" / "tickmesh_cleaner" / "rules" / f"{module}.py")
