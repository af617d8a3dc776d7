"""Reading rows of one schema version under another (T9).

Columns are matched by field id, by name only where ids are missing. What both versions have is cast
where that is exact, what the reader adds takes its default or null, what it does not declare is
dropped; inside structs, lists and maps likewise. Where a value cannot be had, nothing is read: a
refusal says which column of which version, and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.schema.field_metadata import FIELD_ID_KEY
from tickmesh.schema.validation.encodings import as_list, json_of
from tickmesh_tickstore.engine.casts import Cast, ImpossibleCastError, cast_between, is_json
from tickmesh_tickstore.engine.json_values import UnfitValueError, array_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tickmesh.decoding.arrow import Array
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.field_rules import FieldRules

    Field: TypeAlias = pa.Field[Any]

__all__ = ["ColumnRefusal", "Resolution", "UnfitRowsError"]

_LONGEST_EXAMPLE = 60


@dataclass(frozen=True, slots=True)
class ColumnRefusal:
    """Why a column of the reader cannot be had of rows of another version.

    Attributes:
        column: The reader's column.
        path: The field, in it or the column itself: names joined by points.
        written_type: What it was written as; None where it was not written.
        reader_type: What the reader has it as.
        reason: Why not.
    """

    column: str
    path: str
    written_type: str | None
    reader_type: str
    reason: str


class UnfitRowsError(Exception):
    """Values were met that the reader's version cannot hold.

    Attributes:
        refusal: The column.
        example: One of the values, where there is any.
    """

    def __init__(self, refusal: ColumnRefusal, *, example: str = "") -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.example = example


class Resolution:
    """How rows of one version are read under another. Made once, used for every batch.

    Attributes:
        refusals: The reader's columns that cannot be had, by name.
        is_identity: Whether both are one and the same schema.
    """

    def __init__(self, writer: RowLayout, reader: RowLayout) -> None:
        self._reader = reader
        self.refusals: dict[str, ColumnRefusal] = {}
        self._fields: dict[str, _FieldStep] = {}
        # One and the same schema: rows come back as they were sent (T6), absent fields absent.
        self.is_identity = writer.stamp.schema_id == reader.stamp.schema_id
        written = list(writer.schema)
        for field in reader.schema:
            if self.is_identity:
                self._fields[field.name] = _FieldStep(field, field.name, (field.name,))
                continue
            try:
                self._fields[field.name] = _field_step(
                    written, field, writer=writer.rules, reader=reader.rules, path=()
                )
            except _ImpossibleError as error:
                self.refusals[field.name] = error.refusal

    def source(self, column: str) -> str | None:
        """The column, as it was written, that a column of the reader is read from, if any is."""
        step = self._fields.get(column)
        return None if step is None else step.source

    def sources(self, columns: Iterable[str]) -> list[str]:
        """The written columns that some columns of the reader are read from."""
        found = (self.source(column) for column in columns)
        return list(dict.fromkeys(name for name in found if name is not None))

    def is_unchanged(self, column: str) -> bool:
        """Whether a column's values are read as they were written, nulls included."""
        step = self._fields.get(column)
        return step is not None and step.source is not None and step.is_plain

    def keeps_instants(self, column: str) -> bool:
        """Whether a column of instants is read from one of instants, of any unit, unfilled."""
        step = self._fields.get(column)
        return (
            step is not None
            and step.source is not None
            and step.filling is None
            and (step.cast is None or (step.written is not None and pt.is_timestamp(step.written)))
        )

    def resolve(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """A batch of the writer's columns, or those `sources` names, under some of the reader's.

        Columns on which the versions agree are not copied.

        Args:
            batch: The rows.
            schema: The reader's columns that are wanted; none of `refusals`.

        Raises:
            UnfitRowsError: Values do not fit.
        """
        names = batch.schema.names
        columns = []
        for name in schema.names:
            step = self._fields[name]
            held = None if step.source is None else batch.column(names.index(step.source))
            columns.append(step.apply(held, batch.num_rows, None))
        return pa.RecordBatch.from_arrays(columns, schema=schema)


class _ImpossibleError(Exception):
    def __init__(self, refusal: ColumnRefusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _FieldStep:
    """How one field of the reader comes to be, in a row or in a struct.

    Attributes:
        field: The field.
        source: Name of the written field it is read from; None for none.
        path: Names from the row to the field.
        cast: Casts the written values; None where they are as they are.
        filling: One value that stands for every absent one; None for none.
        is_checked: Whether written nulls have to be looked for: the reader requires a value.
        written: The type it was written as.
        condition: What its cast depends on, in words.
    """

    field: Field
    source: str | None
    path: tuple[str, ...]
    cast: Cast | None = None
    filling: Array | None = None
    is_checked: bool = False
    written: Any = None
    condition: str = ""

    @property
    def is_plain(self) -> bool:
        return self.cast is None and self.filling is None and not self.is_checked

    def apply(self, column: Array | None, rows: int, parents: Array | None) -> Array:
        """The field's values.

        Args:
            column: The written values; None where none were written.
            rows: How many.
            parents: Which of the structs around are there; None for rows, which all are.
        """
        if column is None:
            if self.filling is None:
                return nulls(rows, self.field.type)
            return self.filling.take(pa.repeat(0, rows))
        if self.cast is not None:
            column = self._cast(column)
        if column.null_count:
            if self.filling is not None:
                column = _filled(column, self.filling)
            elif self.is_checked:
                self._require(column, parents)
        return column

    def _cast(self, column: Array) -> Array:
        assert self.cast is not None
        try:
            return self.cast(column)
        except (UnfitValueError, pa.ArrowInvalid) as error:
            reason = str(error) if isinstance(error, UnfitValueError) else f"only {self.condition}"
            example = _first_unfit(self.cast, column)
            raise UnfitRowsError(self.refusal(reason), example=example) from None

    def _require(self, column: Array, parents: Array | None) -> None:
        missing = column.is_null()
        if parents is not None:
            missing = pc.and_(missing, parents)
        rows = missing.true_count
        if rows:
            raise UnfitRowsError(self.refusal(f"it is required, and null in {rows} rows"))

    def refusal(self, reason: str) -> ColumnRefusal:
        """Why not, in words about this field."""
        written = None if self.written is None else str(self.written)
        return ColumnRefusal(
            self.path[0], ".".join(self.path), written, str(self.field.type), reason
        )


def _field_step(
    written: Sequence[Field],
    field: Field,
    *,
    writer: FieldRules,
    reader: FieldRules,
    path: tuple[str, ...],
) -> _FieldStep:
    """How a field of the reader's struct is read of the writer's struct."""
    path = (*path, field.name)
    rules = reader.member(field.name)
    filling = array_of([json_of(rules.default)], field) if rules.default else None
    if filling is not None and filling.null_count:
        filling = None
    old = _match(field, written)
    if old is None:
        step = _FieldStep(field, None, path, filling=filling)
        if filling is None and not field.nullable:
            raise _ImpossibleError(
                step.refusal("these rows have no value to give: it is required, without a default")
            )
        return step
    own = writer.member(old.name)
    fills = filling is not None and old.nullable and not own.admits_null
    bare = _FieldStep(field, old.name, path, written=old.type)
    cast, condition = _cast(old, field, writer=own, reader=rules, step=bare)
    return _FieldStep(
        field,
        old.name,
        path,
        cast=cast,
        filling=filling if fills else None,
        is_checked=old.nullable and not field.nullable,
        written=old.type,
        condition=condition,
    )


def _match(field: Field, written: Sequence[Field]) -> Field | None:
    """The written field with the same id; by name only where one of the two has no id."""
    wanted = _id_of(field)
    by_name = None
    for old in written:
        given = _id_of(old)
        if wanted is not None and given == wanted:
            return old
        if old.name == field.name and (wanted is None or given is None):
            by_name = old
    return by_name


def _id_of(field: Field) -> bytes | None:
    return (field.metadata or {}).get(FIELD_ID_KEY)


def _cast(
    old: Field, new: Field, *, writer: FieldRules, reader: FieldRules, step: _FieldStep
) -> tuple[Cast | None, str]:
    """How values of a field, an item or a map's value are read as those of another."""
    if _wrapping(old) == _wrapping(new) and not (is_json(old) or is_json(new)):
        if pt.is_struct(old.type) and pt.is_struct(new.type):
            return _struct_cast(old, new, writer=writer, reader=reader, path=step.path), ""
        if pt.is_list(new.type) or pt.is_map(new.type):
            return _inner_cast(old, new, writer=writer, reader=reader, step=step)
    try:
        return cast_between(old, new, writer=writer, reader=reader)
    except ImpossibleCastError as error:
        raise _ImpossibleError(step.refusal(str(error))) from None


def _struct_cast(
    old: Field, new: Field, *, writer: FieldRules, reader: FieldRules, path: tuple[str, ...]
) -> Cast | None:
    before, after = list(old.type), list(new.type)
    steps = [
        _field_step(before, member, writer=writer, reader=reader, path=path) for member in after
    ]
    same_places = [step.source for step in steps] == [member.name for member in before]
    if same_places and all(step.is_plain for step in steps) and old.type.equals(new.type):
        return None
    places = {member.name: place for place, member in enumerate(before)}

    def cast(column: Array) -> Array:
        # Flattened members are null wherever the struct is: nothing that it hides is looked at.
        members = column.flatten()
        there = column.is_valid()
        parts = [
            step.apply(
                None if step.source is None else members[places[step.source]], len(column), there
            )
            for step in steps
        ]
        return pa.StructArray.from_arrays(parts, fields=after, mask=column.is_null())

    return cast


def _inner_cast(
    old: Field, new: Field, *, writer: FieldRules, reader: FieldRules, step: _FieldStep
) -> tuple[Cast | None, str]:
    """Lists and maps: their items or values are cast, where they stand stays."""
    before, after = _inside(old.type), _inside(new.type)
    cast, condition = _cast(before, after, writer=writer.inside, reader=reader.inside, step=step)
    is_checked = before.nullable and not after.nullable
    if cast is None and not is_checked and old.type.equals(new.type):
        return None, ""
    if cast is not None and (writer.is_uneven or reader.is_uneven):
        raise _ImpossibleError(step.refusal("items have rules of their own by place or key"))

    def apply(column: Array) -> Array:
        held = as_list(column)
        items = held.flatten()
        keys = None
        if not pt.is_list(old.type):
            keys, items = items.flatten()
        if cast is not None:
            items = cast(items)
        if is_checked and items.null_count:
            raise UnfitValueError("an item is required, and null")
        lengths = pc.fill_null(pc.list_value_length(held), 0).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        missing = column.is_null()
        if keys is None:
            return pa.ListArray.from_arrays(offsets, items, type=new.type, mask=missing)
        maps: Any = pa.MapArray  # the stubs know offsets of 64 bits only, which maps do not have
        built: Array = maps.from_arrays(offsets, keys, items, type=new.type, mask=missing)
        return built

    return apply, condition


def _inside(kind: Any) -> Field:
    field: Field = kind.value_field if pt.is_list(kind) else kind.item_field
    return field


def _wrapping(field: Field) -> tuple[str, ...]:
    """The lists and maps around what a field holds: the plan compares values inside the same."""
    kinds: list[str] = []
    kind: Any = field.type
    while pt.is_list(kind) or pt.is_map(kind):
        kinds.append("list" if pt.is_list(kind) else "map")
        kind = _inside(kind).type
    return tuple(kinds)


def _filled(column: Array, filling: Array) -> Array:
    """The column with one value in the place of every null."""
    if isinstance(column, pa.DictionaryArray):
        plain = column.dictionary_decode()
        value = filling.dictionary_decode()[0]
        return pc.fill_null(plain, value).dictionary_encode().cast(column.type)
    try:
        return pc.fill_null(column, filling[0])
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        # No kernel for nested types: rows are taken from the column, the value from behind it.
        places = pc.if_else(column.is_valid(), pa.array(range(len(column))), len(column))
        return pa.concat_arrays([column, filling]).take(places)


def _first_unfit(cast: Cast, column: Array) -> str:
    """The first value that does not fit, as text: found by halves."""
    start, stop = 0, len(column)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            cast(column.slice(start, middle - start))
        except (UnfitValueError, pa.ArrowInvalid):
            stop = middle
        else:
            start = middle
    value = column[start]
    if pt.is_temporal(value.type) and not pt.is_date(value.type):
        value = value.cast(pa.int64())  # Python's own instants may not hold it
    text = str(value.as_py())
    return text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}…"
