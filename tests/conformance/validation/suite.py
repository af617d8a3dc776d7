"""The official JSON Schema test suite in columnar form."""

from __future__ import annotations

import decimal
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from tickmesh.schema.validation import NullMeans, row_documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Column: TypeAlias = "pa.Array[Any]"

CASE = "http://suite.invalid/case"
DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}


@dataclass(frozen=True)
class Group:
    """One schema of the suite with its instances."""

    name: str
    dialect: str
    schema: Any
    tests: list[dict[str, Any]]

    def wrapped(self, remotes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The schema at a column `x` of a row, so that any JSON value can be an instance."""
        uri = CASE
        if isinstance(self.schema, dict) and "://" in str(self.schema.get("$id", "")):
            uri = self.schema["$id"]
        outer = {"$schema": DIALECTS[self.dialect], "properties": {"x": {"$ref": uri}}}
        return outer, {**remotes, uri: self.schema}

    def bare(self, remotes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The schema at the row itself, for instances that are objects."""
        schema = self.schema
        if isinstance(schema, dict) and "$schema" not in schema:
            schema = {"$schema": DIALECTS[self.dialect], **schema}
        return schema, remotes


def groups(folder: Path, dialect: str, *, formats: bool = False) -> Iterator[Group]:
    """The groups of a dialect: the required ones, or those of optional/format."""
    tests = folder / "tests" / dialect
    for path in sorted((tests / "optional/format" if formats else tests).glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            name = f"{path.stem}: {group['description']}"
            yield Group(name, dialect, group["schema"], group["tests"])


def remotes(folder: Path, dialect: str) -> dict[str, Any]:
    """The documents that the suite's references lead to, by their URI."""
    root = folder / "remotes"
    drafts = {"draft2019-09", "draft2020-12", "draft3", "draft4", "draft6", "draft7", "v1"}
    other = drafts - {dialect}
    found = {}
    for path in sorted(root.rglob("*.json")):
        place = path.relative_to(root)
        if place.parts[0] not in other:
            uri = f"http://localhost:1234/{place.as_posix()}"
            found[uri] = json.loads(path.read_text(encoding="utf-8"))
    return found


def columns(instance: Any) -> list[Column]:
    """One-row columns that hold a JSON value exactly, in every encoding that fits; maybe none."""
    candidates: list[Column] = []
    try:
        candidates.append(pa.array([_widened(instance)]))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, pa.ArrowNotImplementedError):
        return []
    first = candidates[0]
    further: list[pa.DataType] = []
    if pa.types.is_string(first.type):
        further = [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()]
    elif pa.types.is_integer(first.type):
        further = [pa.float64(), pa.int8(), pa.uint64(), pa.decimal128(30, 6)]
    elif pa.types.is_floating(first.type):
        further = [pa.int64(), pa.float32(), pa.decimal128(30, 6)]
    elif pa.types.is_list(first.type):
        further = [pa.large_list(first.type.value_type)]
    for data_type in further:
        try:
            if pa.types.is_decimal(data_type):
                value = Decimal(repr(instance))
                candidates.append(pa.array([value], data_type))
            else:
                candidates.append(first.cast(data_type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return [column for column in candidates if _holds(column, instance)]


def _widened(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return Decimal(value)
    return value


def _holds(column: Column, instance: Any) -> bool:
    try:
        # Inference makes broken arrays of lists of objects with different keys.
        batch = pa.record_batch({"x": column})
    except pa.ArrowInvalid:
        return False
    return same(row_documents(batch, null_means=NullMeans.NULL)[0]["x"], instance)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: numbers by value, booleans apart from numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        with decimal.localcontext() as context:
            context.prec = 400
            return Decimal(repr(left) if isinstance(left, float) else left) == Decimal(
                repr(right) if isinstance(right, float) else right
            )
    return type(left) is type(right) and bool(left == right)
