"""The examples of docs/source-specs.md are what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.decoding import map_all, schema_of
from tickmesh.decoding.conversion import cells
from tickmesh.decoding.conversion.cells import FAILURE_MESSAGES
from tickmesh.decoding.mapped import ABSENT, NULL
from tickmesh.decoding.source_spec import SourceSpec

PAGE = Path(__file__).resolve().parents[3] / "docs" / "source-specs.md"
EXAMPLES = 5
INSTANT = {"type": "string", "format": "date-time"}
TEXT = {"type": "string"}
NUMBER = {"type": "number", "arrow": "decimal128(18, 4)"}
LEVELS = {
    "type": "array",
    "items": {"type": "object", "properties": {"price": NUMBER, "size": NUMBER}},
}
SCHEMA = schema_of(
    {
        "ts": INSTANT,
        "symbol": TEXT,
        "price": NUMBER,
        "size": NUMBER,
        "suspicious": {"type": "boolean"},
        "venue": TEXT,
        "side": TEXT,
        "best": {"type": "object", "properties": {"bid": NUMBER, "ask": NUMBER}},
        "bids": LEVELS,
        "asks": LEVELS,
    }
)


def examples() -> list[tuple[str, str, str]]:
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    texts = [text for _, text in blocks]
    kinds = [kind for kind, _ in blocks]
    assert all(kind in ("csv", "text") for kind in kinds[::3])
    assert kinds[1::3] == ["toml"] * EXAMPLES
    assert kinds[2::3] == ["json"] * EXAMPLES
    return [(texts[place], texts[place + 1], texts[place + 2]) for place in range(0, len(texts), 3)]


@pytest.mark.parametrize("number", range(EXAMPLES))
def test_an_example_gives_the_rows_it_shows(number: int) -> None:
    source, spec, rows = examples()[number]
    found = map_all(
        source.encode(), SourceSpec.from_toml(spec), SCHEMA, file_name="trades_aig_20131009.csv"
    )
    (mapped,) = found.mapped
    documents = mapped.documents(range(found.rows))
    assert json.loads(json.dumps(documents, default=float)) == json.loads(rows)
    assert not found.failed
    assert not found.rejects


def test_every_code_of_a_cell_is_on_the_page() -> None:
    page = PAGE.read_text()
    codes = {value for name, value in vars(cells).items() if name == value}
    assert codes > set(FAILURE_MESSAGES)
    assert [code for code in sorted({*codes, NULL, ABSENT}) if code not in page] == []
