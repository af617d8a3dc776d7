"""What common readers change in silence is read as it stands: one golden file a trap.

`pytest tests/unit/decoding/test_reader_traps.py --update-golden` writes them anew; read them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.decoding import decode, schema_of
from tests.unit.decoding.reader_traps import TRAPS, Trap, fields_text
from tickmesh.decoding.decoded import DecodedBatch, DecodeError, RecordReject
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.source_spec import SourceSpec
from tickmesh.schema.projection import project
from tickmesh.schema.validation import compile_schema, reasons_of_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh.decoding.mapped import MappedBatch
    from tickmesh.schema.document import SchemaDocument

GOLDEN = Path(__file__).parent / "golden"
LONGEST = 120


def shown(raw: bytes) -> str:
    text = repr(raw)[1:]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(raw)} bytes)"


def verdicts(trap: Trap) -> str:
    """Everything that became of a source, in words."""
    spec = SourceSpec.from_toml(f'format = "{trap.format}"\n{trap.spec}')
    document = schema_of(trap.fields, required=trap.required)
    lines = [trap.promise, "", f"source ({trap.format})"]
    if isinstance(trap.source, bytes):
        lines += [f"  {shown(line)}" for line in trap.source.splitlines(keepends=True)]
    else:
        lines += [f"  {field.name}: {field.type}" for field in trap.source.schema]
    lines += ["", "fields", fields_text(trap).rstrip(), ""]
    try:
        batches = decode(trap.content, spec)
    except DecodeError as error:
        return "\n".join([*lines, "the source is refused", f"  {error.code}: {error.message}", ""])
    mapper = RowMapper(spec, document, project(document), file_name=trap.file_name)
    for batch in batches:
        lines += batch_lines(batch, mapper.map(batch), document)
    if not batches:
        lines += ["no records"]
    return "\n".join([*lines, ""])


def batch_lines(
    batch: DecodedBatch, mapped: MappedBatch, document: SchemaDocument
) -> Iterator[str]:
    records: list[tuple[int, list[str]]] = [
        (reject.line, rejected(reject)) for reject in (*batch.rejects, *mapped.rejects)
    ]
    good = compile_schema(document, mapped.batch.schema).check(mapped.batch).good.to_pylist()
    documents = mapped.documents(range(mapped.batch.num_rows))
    for row, record in enumerate(np.asarray(mapped.record_index).tolist()):
        line = batch.lines[record].as_py()
        failures = {
            failure.column: failure
            for failure in mapped.failures
            if row in failure.rows.to_pylist()
        }
        text = json.dumps(documents[row], ensure_ascii=False, default=str)
        if good[row] and not failures:
            records.append((line, [f"  line {line} good {text}"]))
            continue
        found = [f"  line {line} bad  {text}"]
        for column, failure in failures.items():
            found.append(f"         {failure.code} /{column}: {failure.message}")
        found += [
            f"         {reason.code} {reason.instance_path or '/'}"
            for reason in reasons_of_document(document, documents[row])
        ]
        records.append((line, found))
    yield "records"
    for _, found in sorted(records, key=lambda each: each[0]):
        yield from found
    for title, counts in (("extras", mapped.extras), ("coercions", mapped.coercions)):
        nonzero = {name: count for name, count in sorted(counts.items()) if count}
        if nonzero:
            yield f"{title} {json.dumps(nonzero)}"


def rejected(reject: RecordReject) -> list[str]:
    return [
        f"  line {reject.line} held back {shown(reject.raw)}",
        f"         {reject.code}: {reject.message}",
    ]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_a_trap_is_read_as_it_stands(
    trap: Trap, assert_golden: Callable[[Path, str], None]
) -> None:
    assert_golden(GOLDEN / f"{trap.name}.txt", verdicts(trap))


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {trap.name for trap in TRAPS}


def test_a_trap_far_into_a_feed_is_read_as_it_is_alone() -> None:
    """The columnar ways of reading JSON see the same as the exact one."""
    for trap in TRAPS:
        if trap.format != "jsonl" or not isinstance(trap.source, bytes):
            continue
        document = schema_of(trap.fields, required=trap.required)
        spec = SourceSpec.from_toml('format = "jsonl"')
        mapper = RowMapper(spec, document, project(document))
        (alone,) = decode(trap.source, spec)
        (feed,) = decode(b'{"q":1}\n' * 2_000 + trap.source, spec)
        first, then = mapper.map(alone), mapper.map(feed)
        moved = [(int(row) + 2_000) for row in np.asarray(first.record_index)]
        assert then.record_index.to_pylist()[2_000:] == moved, trap.name
        assert then.batch.slice(2_000).equals(first.batch), trap.name
        assert codes(then, document, skip=2_000) == codes(first, document, skip=0), trap.name


def codes(mapped: MappedBatch, document: SchemaDocument, *, skip: int) -> Any:
    """Failed cells and rejects, rows counted after those to skip."""
    cells = sorted(
        (row - skip, failure.column, failure.code, raw)
        for failure in mapped.failures
        for row, raw in zip(np.asarray(failure.rows).tolist(), failure.raw.to_pylist(), strict=True)
        if row >= skip
    )
    return cells, [(reject.code, reject.raw, reject.message) for reject in mapped.rejects]
