"""T9 Evolved reads: rows of several schema versions, read under any one of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    SYMBOLS,
    VERSION_1,
    VERSION_2,
    admit,
    integers,
    put,
    sizes,
    ticks,
)
from tickmesh_tickstore.domain.errors import (
    GenerationNotReadableError,
    SchemaVersionNotFoundError,
    VersionNotReadableError,
)
from tickmesh_tickstore.domain.requests import Order, ScanRequest, StampColumn
from tickmesh_tickstore.domain.stamps import Stamp
from tickmesh_tickstore.engine.field_rules import NO_RULES, FieldRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_tickstore.engine import Follower, TickEngine

VERSION_3 = Stamp("schema-3", 3)
READ = ScanRequest(dataset=DATASET)
CHANGING = "changing"
VENUE = pa.field("venue", pa.string())
JSON: dict[bytes | str, bytes | str] = {"tickmesh.encoding": "json"}


def interleave(engine: TickEngine) -> None:
    """Versions 1 and 2 side by side; 2 adds `venue` and puts the columns in another order."""
    newer = pa.schema([VENUE, *reversed(list(SCHEMA))])
    put(engine, ticks(2))
    engine.add_version(DATASET, stamp=VERSION_2, schema=newer)
    batch = ticks(2, first=2)
    columns = [pa.array(["X", "Y"]), *reversed(batch.columns)]
    put(engine, pa.record_batch(columns, schema=newer), stamp=VERSION_2)
    put(engine, ticks(2, first=4))


def numbered(field: pa.Field[Any], number: int) -> pa.Field[Any]:
    """A field with an id, as a projection numbers it."""
    known = cast("dict[bytes | str, bytes | str]", field.metadata or {})
    return field.with_metadata({**known, b"tickmesh.field_id": str(number).encode()})


def stored(
    engine: TickEngine,
    before: Sequence[pa.Field[Any]],
    columns: Sequence[pa.Array[Any]],
    *,
    rules: FieldRules = NO_RULES,
) -> None:
    """A dataset with some rows under version 1."""
    schema = pa.schema(before)
    engine.create_dataset(CHANGING, stamp=VERSION_1, schema=schema, rules=rules)
    batch = pa.record_batch(list(columns), schema=schema)
    engine.append(CHANGING, batch, stamp=VERSION_1, judge=admit).result(30)


def read_under(
    engine: TickEngine,
    after: Sequence[pa.Field[Any]],
    *,
    rules: FieldRules = NO_RULES,
    generation: int = 1,
    columns: tuple[str, ...] | None = None,
) -> pa.Table:
    """Read the dataset under a version 2 that no row was written under."""
    schema = pa.schema(after)
    engine.add_reader(CHANGING, stamp=VERSION_2, schema=schema, generation=generation, rules=rules)
    request = ScanRequest(dataset=CHANGING, reader_version=2, columns=columns)
    plan = engine.plan(request)
    table = pa.concat_tables(engine.scan(part.payload).read_all() for part in plan.ranges)
    assert plan.schema.equals(table.schema, check_metadata=True)
    assert table.schema.equals(
        schema if columns is None else pa.schema([schema.field(name) for name in columns])
    )
    table.validate(full=True)
    return table


def recast(
    engine: TickEngine, old: pa.Field[Any], new: pa.Field[Any], values: pa.Array[Any]
) -> pa.Table:
    size = pa.field("size", pa.int64())
    stored(engine, [old, size], [values, pa.array(range(len(values)), pa.int64())])
    return read_under(engine, [new, size])


def test_t9_columns_that_a_version_adds_are_null_in_rows_without_them(engine: TickEngine) -> None:
    interleave(engine)
    table = engine.scan(replace(READ, stamps=(StampColumn.SCHEMA_VERSION,))).read_all()
    assert table.schema.names == ["venue", "size", "price", "symbol", "ts", "_schema_version"]
    assert table.column("venue").to_pylist() == [None, None, "X", "Y", None, None]
    assert table.column("size").to_pylist() == [0, 1, 2, 3, 4, 5]
    assert table.column("_schema_version").to_pylist() == [1, 1, 2, 2, 1, 1]


def test_t9_columns_that_a_version_drops_are_left_out(engine: TickEngine) -> None:
    interleave(engine)
    table = engine.scan(replace(READ, reader_version=1)).read_all()
    assert table.schema.equals(SCHEMA, check_metadata=True)
    assert table.column("size").to_pylist() == [0, 1, 2, 3, 4, 5]


def test_t9_ranges_symbols_and_orders_reach_every_version(engine: TickEngine) -> None:
    interleave(engine)
    for version in (1, 2):
        read = replace(READ, reader_version=version)
        assert sizes(engine, replace(read, start_ns=10, end_ns=50)) == [1, 2, 3, 4]
        assert sizes(engine, replace(read, symbols=("AAPL",))) == [0, 3]
        assert sizes(engine, replace(read, order=Order.TIME, limit=5)) == [0, 1, 2, 3, 4]


def test_t9_a_tail_gives_every_version_under_the_one_it_was_opened_with(
    engine: TickEngine,
) -> None:
    interleave(engine)
    with_venue = engine.follow(DATASET, columns=("venue", "size"), symbols=("AAPL",))
    without = engine.follow(DATASET, reader_version=1)
    assert without.schema.equals(SCHEMA, check_metadata=True)
    found: list[Any] = []
    while followed := with_venue.wait(0):
        found += followed.batch.to_pylist()
    while with_venue.lag_rows():
        followed = with_venue.wait(1)
        found += followed.batch.to_pylist() if followed else []
    assert found == [{"venue": None, "size": 0}, {"venue": "Y", "size": 3}]
    rows = 0
    while rows < 6:
        followed = without.wait(10)
        assert followed is not None
        assert followed.batch.schema.equals(SCHEMA, check_metadata=True)
        rows += followed.batch.num_rows
    for follower in (with_venue, without):
        follower.close()


def test_t9_a_tail_of_a_generation_gives_its_rows_and_passes_over_the_others(
    engine: TickEngine,
) -> None:
    put(engine, ticks(2))
    follower = engine.follow(DATASET, reader_version=1, generation=1)
    later = engine.follow(DATASET, reader_version=1, generation=2)
    engine.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA, generation=2)
    put(engine, ticks(3, first=2), stamp=VERSION_2)
    put(engine, ticks(1, first=5))
    put(engine, ticks(4, first=6), stamp=VERSION_2)
    assert (follower.lag_rows(), later.lag_rows()) == (3, 7)
    assert tailed(follower) == [0, 1, 5]
    assert tailed(later) == [2, 3, 4, 6, 7, 8, 9]
    # What was passed over is behind both: neither lags, and both go on from the end.
    assert (follower.lag_rows(), later.lag_rows()) == (0, 0)
    assert follower.position == later.position
    put(engine, ticks(1, first=10))
    assert (tailed(follower), tailed(later)) == ([10], [])


def tailed(follower: Follower) -> list[int]:
    """The `size` of everything that is there for a follower."""
    rows: list[int] = []
    while (followed := follower.wait(0)) is not None or follower.lag_rows():
        rows += integers(followed.batch, "size") if followed else []
    return rows


def test_t9_a_version_nobody_told_of_is_refused(engine: TickEngine) -> None:
    with pytest.raises(SchemaVersionNotFoundError):
        engine.scan(replace(READ, reader_version=9))
    with pytest.raises(SchemaVersionNotFoundError):
        engine.follow(DATASET, reader_version=9)


def test_t9_renamed_columns_are_found_by_their_ids(engine: TickEngine) -> None:
    """And by their ids alone: a new column of an old name is another column."""
    price, size = pa.field("price", pa.float64()), pa.field("size", pa.int64())
    stored(
        engine,
        [numbered(price, 1), numbered(size, 2)],
        [pa.array([1.5, 2.5]), pa.array([10, 20])],
    )
    last = numbered(pa.field("last", pa.float64()), 1)
    table = read_under(engine, [numbered(size, 7), last])
    assert table.to_pylist() == [{"size": None, "last": 1.5}, {"size": None, "last": 2.5}]


def test_t9_columns_that_exchange_their_names_keep_their_values(engine: TickEngine) -> None:
    bid, ask = pa.field("bid", pa.float64()), pa.field("ask", pa.float64())
    stored(engine, [numbered(bid, 1), numbered(ask, 2)], [pa.array([1.0]), pa.array([2.0])])
    table = read_under(engine, [numbered(bid, 2), numbered(ask, 1)])
    assert table.to_pydict() == {"bid": [2.0], "ask": [1.0]}


def test_t9_a_renamed_event_time_and_symbol_are_ranged_and_chosen_by(engine: TickEngine) -> None:
    put(engine, ticks(6))
    names = {"ts": "at", "symbol": "ticker"}
    renamed = [field.with_name(names.get(field.name, field.name)) for field in SCHEMA]
    fields = [numbered(field, place + 1) for place, field in enumerate(renamed)]
    before = [numbered(field, place + 1) for place, field in enumerate(SCHEMA)]
    engine.create_dataset("renamed", stamp=VERSION_1, schema=pa.schema(before))
    engine.append(
        "renamed",
        pa.record_batch(ticks(6).columns, schema=pa.schema(before)),
        stamp=VERSION_1,
        judge=admit,
    ).result(30)
    engine.add_reader("renamed", stamp=VERSION_2, schema=pa.schema(fields))
    read = ScanRequest(dataset="renamed", reader_version=2)
    assert sizes(engine, replace(read, start_ns=10, end_ns=40)) == [1, 2, 3]
    assert sizes(engine, replace(read, symbols=("AAPL",))) == [0, 3]


def test_t9_names_count_where_ids_are_missing(engine: TickEngine) -> None:
    size = pa.field("size", pa.int64())
    stored(engine, [size], [pa.array([10])])
    assert read_under(engine, [numbered(size, 3)]).to_pylist() == [{"size": 10}]


def members(**rules: FieldRules) -> FieldRules:
    return FieldRules(members=rules)


@pytest.mark.parametrize(
    ("field", "default", "expected"),
    [
        (pa.field("new", pa.int64(), nullable=False), "7", 7),
        (pa.field("new", pa.float64()), "0.5", 0.5),
        (pa.field("new", SYMBOLS, nullable=False), '"XNAS"', "XNAS"),
        (pa.field("new", pa.decimal128(9, 2)), "1.25", Decimal("1.25")),
        (pa.field("new", pa.int64(), metadata={"tickmesh.scale": "2"}), "1.25", 125),
        (pa.field("new", pa.string(), metadata=JSON), '{"a":[1]}', '{"a":[1]}'),
        (pa.field("new", pa.list_(pa.int64())), "[1,2]", [1, 2]),
        (pa.field("new", pa.struct([("a", pa.int64())])), '{"a":1}', {"a": 1}),
        (pa.field("new", pa.bool_()), "true", True),
    ],
)
def test_t9_added_columns_take_the_readers_default(
    engine: TickEngine, field: pa.Field[Any], default: str, expected: Any
) -> None:
    size = pa.field("size", pa.int64())
    stored(engine, [size], [pa.array([1, 2])])
    rules = members(new=FieldRules(default=default))
    table = read_under(engine, [size, field], rules=rules)
    assert table.column("new").to_pylist() == [expected, expected]


def test_t9_absent_values_take_the_default_and_nulls_that_were_written_stay(
    engine: TickEngine,
) -> None:
    fields = [pa.field("absent", pa.int64()), pa.field("written", pa.int64())]
    reader = members(absent=FieldRules(default="5"), written=FieldRules(default="5"))
    stored(
        engine,
        fields,
        [pa.array([1, None]), pa.array([1, None])],
        rules=members(absent=FieldRules(admits_null=False), written=FieldRules()),
    )
    table = read_under(engine, fields, rules=reader)
    assert table.to_pylist() == [{"absent": 1, "written": 1}, {"absent": 5, "written": None}]


def test_t9_rows_of_the_very_schema_come_back_as_they_were_sent(engine: TickEngine) -> None:
    """T6 before T9: a default is for rows of other versions, not for one's own nulls."""
    field = pa.field("a", pa.int64())
    rules = members(a=FieldRules(admits_null=False, default="5"))
    stored(engine, [field], [pa.array([1, None])], rules=rules)
    table = engine.scan(ScanRequest(dataset=CHANGING)).read_all()
    assert table.column("a").to_pylist() == [1, None]


def test_t9_a_required_column_without_a_value_to_give_is_refused(engine: TickEngine) -> None:
    size = pa.field("size", pa.int64())
    stored(engine, [size], [pa.array([1, 2])])
    required = pa.field("venue", pa.string(), nullable=False)
    with pytest.raises(GenerationNotReadableError, match="without a default") as caught:
        read_under(engine, [size, required], generation=2)
    assert caught.value.metadata["readableColumns"] == "size"
    assert caught.value.metadata["rows"] == "2"
    assert caught.value.metadata["generations"] == "1"
    assert read_under(engine, [size, required], columns=("size",)).num_rows == 2


def test_t9_nulls_are_refused_where_the_reader_requires_a_value(engine: TickEngine) -> None:
    field = pa.field("a", pa.int64())
    stored(engine, [field], [pa.array([1, None, None])])
    with pytest.raises(VersionNotReadableError, match="required, and null in 2 rows"):
        read_under(engine, [field.with_nullable(False)])


EXACT: list[tuple[pa.DataType, pa.DataType, list[Any]]] = [
    (pa.int32(), pa.int64(), [-(2**31), None, 2**31 - 1]),
    (pa.uint32(), pa.int64(), [0, None, 2**32 - 1]),
    (pa.int32(), pa.float64(), [-(2**31), None, 2**31 - 1]),
    (pa.int64(), pa.float64(), [-(2**53), None, 2**53]),
    (pa.int64(), pa.int8(), [-128, None, 127]),
    (pa.int64(), pa.uint64(), [0, None, 2**63 - 1]),
    (pa.float64(), pa.int64(), [-(2.0**53), None, 7.0]),
    (pa.float32(), pa.float64(), [0.5, None, -1.25]),
    (pa.float64(), pa.float32(), [0.5, None, -1.25]),
    (pa.int8(), pa.decimal128(5, 2), [-128, None, 127]),
    (pa.int64(), pa.decimal128(18, 4), [-(10**13), None, 10**13]),
    (pa.decimal128(5, 2), pa.decimal128(8, 4), ["1.25", None, "-999.99"]),
    (pa.decimal128(8, 4), pa.decimal128(5, 2), ["1.25", None, "-999.99"]),
    (pa.decimal256(60, 4), pa.decimal128(18, 4), ["1.25", None, "-999.99"]),
    (pa.decimal128(18, 4), pa.int64(), ["1.0000", None, "-999.0000"]),
    (pa.string(), pa.dictionary(pa.int32(), pa.string()), ["a", None, "b"]),
    (pa.dictionary(pa.int32(), pa.string()), pa.large_string(), ["a", None, "b"]),
    (pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC"), [1, None, -1]),
    (pa.timestamp("ns", "UTC"), pa.timestamp("us", "UTC"), [1_000, None, -1_000]),
    (pa.timestamp("ns", "UTC"), pa.timestamp("ns", "America/New_York"), [1, None, -1]),
    (pa.time64("ns"), pa.time32("s"), [10**9, None, 0]),
    (pa.null(), pa.int64(), [None, None, None]),
]


@pytest.mark.parametrize(("old", "new", "values"), EXACT, ids=str)
def test_t9_casts_that_lose_nothing_are_made(
    engine: TickEngine, old: pa.DataType, new: pa.DataType, values: list[Any]
) -> None:
    written = column_of(values, old)
    table = recast(engine, pa.field("value", old), pa.field("value", new), written)
    if isinstance(written, pa.DictionaryArray):
        written = written.dictionary_decode()
    wanted = new.value_type if pa.types.is_dictionary(new) else new
    expected = written.cast(pa.decimal256(70, 4)) if is_whole_for_decimal(old, new) else written
    found = table.column("value").cast(wanted).combine_chunks()
    assert found.equals(pa.chunked_array([expected.cast(wanted)]).combine_chunks())


def is_whole_for_decimal(old: pa.DataType, new: pa.DataType) -> bool:
    """Arrow casts integers only to decimals that hold all of them."""
    return bool(pa.types.is_integer(old) and pa.types.is_decimal(new))


@pytest.mark.parametrize(
    ("old", "new", "values", "expected"),
    [
        (pa.float64(), pa.decimal128(9, 2), [0.1, None, -1.25], ["0.10", None, "-1.25"]),
        (pa.decimal128(9, 2), pa.float64(), ["0.10", None, "-1.25"], [0.1, None, -1.25]),
        (pa.binary(), pa.string(), [b"hi", None], ["aGk=", None]),
        (pa.string(), pa.binary(), ["aGk=", None], [b"hi", None]),
        (
            pa.timestamp("ns", "UTC"),
            pa.string(),
            [1, None],
            ["1970-01-01T00:00:00.000000001Z", None],
        ),
        (
            pa.string(),
            pa.timestamp("us", "UTC"),
            ["1970-01-01T00:00:00.5Z", "1970-01-01T01:00:00+01:00"],
            [500_000, 0],
        ),
        (pa.string(), pa.date32(), ["1970-01-02", None], [1, None]),
    ],
    ids=str,
)
def test_t9_values_are_kept_where_their_form_changes(
    engine: TickEngine,
    old: pa.DataType,
    new: pa.DataType,
    values: list[Any],
    expected: list[Any],
) -> None:
    table = recast(engine, pa.field("value", old), pa.field("value", new), column_of(values, old))
    found = table.column("value").combine_chunks()
    assert found.equals(pa.chunked_array([column_of(expected, new)]).combine_chunks())


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (pa.int64(), pa.string(), "without changing its meaning"),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), "no time zone"),
        (pa.bool_(), pa.int64(), "without changing its meaning"),
        (pa.list_(pa.int64()), pa.int64(), "without changing its meaning"),
        (pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()), "its meaning"),
    ],
    ids=str,
)
def test_t9_an_impossible_cast_is_refused_and_nothing_is_left_out(
    engine: TickEngine, old: pa.DataType, new: pa.DataType, text: str
) -> None:
    fields = pa.field("value", old), pa.field("value", new)
    with pytest.raises(VersionNotReadableError, match=text) as caught:
        recast(engine, *fields, column_of([None], old))
    assert caught.value.metadata["column"] == "value"
    rest = ScanRequest(dataset=CHANGING, reader_version=2, columns=("size",))
    assert engine.scan(rest).read_all().num_rows == 1


UNFIT: list[tuple[pa.DataType, pa.DataType, list[Any]]] = [
    (pa.int64(), pa.int32(), [1, 2**31]),
    (pa.int64(), pa.float64(), [1, 2**53 + 1]),
    (pa.int64(), pa.uint64(), [1, -1]),
    (pa.uint64(), pa.int64(), [1, 2**63]),
    (pa.int64(), pa.decimal128(6, 4), [1, 100]),
    (pa.float64(), pa.int64(), [1.0, 1.5]),
    (pa.float64(), pa.int64(), [1.0, 2.0**63]),
    (pa.float64(), pa.float32(), [0.5, 0.1]),
    (pa.float64(), pa.float32(), [0.5, 1e300]),
    (pa.float64(), pa.decimal128(9, 2), [0.5, 0.125]),
    (pa.decimal128(20, 2), pa.float64(), ["0.10", "123456789012345678.01"]),
    (pa.decimal128(8, 4), pa.decimal128(8, 2), ["1.2500", "1.2525"]),
    (pa.decimal128(8, 2), pa.int64(), ["1.00", "1.25"]),
    (pa.timestamp("ns", "UTC"), pa.timestamp("us", "UTC"), [1_000, 1_001]),
    (pa.timestamp("s", "UTC"), pa.timestamp("ns", "UTC"), [1, 2**40]),
    (pa.time64("ns"), pa.time32("s"), [10**9, 1]),
    (pa.string(), pa.binary(), ["aGk=", "aGk"]),
    (pa.string(), pa.timestamp("us", "UTC"), ["1970-01-01T00:00:00Z", "yesterday"]),
    (pa.string(), pa.timestamp("s", "UTC"), ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.5Z"]),
]


@pytest.mark.parametrize(("old", "new", "values"), UNFIT, ids=str)
def test_t9_a_value_that_does_not_fit_is_refused_not_bent(
    engine: TickEngine, old: pa.DataType, new: pa.DataType, values: list[Any]
) -> None:
    fields = pa.field("value", old), pa.field("value", new)
    with pytest.raises(VersionNotReadableError, match="one is"):
        recast(engine, *fields, column_of(values, old))
    rest = ScanRequest(dataset=CHANGING, reader_version=2, columns=("size",))
    assert engine.scan(rest).read_all().num_rows == 2


def test_t9_structs_are_resolved_inside(engine: TickEngine) -> None:
    """Members by id, cast, defaulted and dropped; nothing is filled inside an absent struct."""
    before = pa.struct(
        [
            numbered(pa.field("price", pa.float32(), nullable=False), 2),
            numbered(pa.field("size", pa.int32()), 3),
            numbered(pa.field("gone", pa.string()), 4),
        ]
    )
    after = pa.struct(
        [
            numbered(pa.field("venue", pa.string(), nullable=False), 5),
            numbered(pa.field("last", pa.float64(), nullable=False), 2),
            numbered(pa.field("size", pa.int64(), nullable=False), 3),
        ]
    )
    values = [
        {"price": 0.5, "size": 1, "gone": "x"},
        None,
        {"price": 1.5, "size": None, "gone": None},
    ]
    writer = members(bid=members(price=FieldRules(), size=FieldRules(admits_null=False)))
    reader = members(
        bid=members(
            venue=FieldRules(default='"XNAS"'), last=FieldRules(), size=FieldRules(default="9")
        )
    )
    stored(engine, [pa.field("bid", before)], [pa.array(values, before)], rules=writer)
    table = read_under(engine, [pa.field("bid", after)], rules=reader)
    assert table.column("bid").to_pylist() == [
        {"venue": "XNAS", "last": 0.5, "size": 1},
        None,
        {"venue": "XNAS", "last": 1.5, "size": 9},
    ]


def test_t9_items_of_lists_and_values_of_maps_are_resolved(engine: TickEngine) -> None:
    before = pa.struct([pa.field("p", pa.float32())])
    after = pa.struct([pa.field("p", pa.float64()), pa.field("q", pa.int64())])
    lists = [[{"p": 0.5}, None], None, [], [{"p": 1.5}]]
    maps: list[Any] = [[("a", {"p": 0.5})], None, [], [("b", None), ("c", {"p": 1.5})]]
    stored(
        engine,
        [pa.field("levels", pa.list_(before)), pa.field("by_venue", pa.map_(pa.string(), before))],
        [pa.array(lists, pa.list_(before)), pa.array(maps, pa.map_(pa.string(), before))],
    )
    inside = FieldRules(members={"q": FieldRules(default="3")})
    table = read_under(
        engine,
        [pa.field("levels", pa.list_(after)), pa.field("by_venue", pa.map_(pa.string(), after))],
        rules=members(levels=FieldRules(inner=inside), by_venue=FieldRules(inner=inside)),
    )
    assert table.column("levels").to_pylist() == [
        [{"p": 0.5, "q": 3}, None],
        None,
        [],
        [{"p": 1.5, "q": 3}],
    ]
    assert table.column("by_venue").to_pylist() == [
        [("a", {"p": 0.5, "q": 3})],
        None,
        [],
        [("b", None), ("c", {"p": 1.5, "q": 3})],
    ]


def test_t9_values_become_json_text_and_come_back(engine: TickEngine) -> None:
    struct = pa.struct([pa.field("a", pa.int64()), pa.field("t", pa.timestamp("ns", "UTC"))])
    fields: list[pa.Field[Any]] = [
        pa.field("n", pa.float64()),
        pa.field("s", pa.string()),
        pa.field("o", struct),
        pa.field("j", pa.string(), metadata=JSON),
        pa.field("k", pa.string(), metadata=JSON),
    ]
    stored(
        engine,
        fields,
        [
            pa.array([0.1, None]),
            pa.array(['"', "é"]),
            pa.array([{"a": 1, "t": 5}, None], struct),
            pa.array(['{"a": 1, "t": "1970-01-01T00:00:00.000000005Z"}', None]),
            pa.array(["[1, 2.5]", "[]"]),
        ],
    )
    after = [field.with_type(pa.string()).with_metadata(JSON) for field in fields[:3]]
    table = read_under(
        engine,
        [*after, pa.field("j", struct), pa.field("k", pa.list_(pa.float64()))],
    )
    assert table.column("n").to_pylist() == ["0.1", None]
    assert table.column("s").to_pylist() == ['"\\""', '"é"']
    assert table.column("o").to_pylist() == [
        '{"a":1,"t":"1970-01-01T00:00:00.000000005Z"}',
        None,
    ]
    assert (
        table.column("j")
        .combine_chunks()
        .equals(pa.chunked_array([pa.array([{"a": 1, "t": 5}, None], struct)]).combine_chunks())
    )
    assert table.column("k").to_pylist() == [[1.0, 2.5], []]


def test_t9_json_text_without_a_value_of_the_type_is_refused(engine: TickEngine) -> None:
    json = pa.field("j", pa.string(), metadata=JSON)
    stored(engine, [json], [pa.array(["1", '"1"'])])
    with pytest.raises(VersionNotReadableError, match='one is "1"'):
        read_under(engine, [pa.field("j", pa.int64())])


def test_t9_scaled_integers_are_cast_as_the_numbers_they_stand_for(engine: TickEngine) -> None:
    def scaled(digits: str) -> pa.Field[Any]:
        return pa.field("value", pa.int64(), metadata={"tickmesh.scale": digits})

    stored(engine, [scaled("2")], [pa.array([150, None, -25])])
    assert read_under(engine, [scaled("4")]).column(0).to_pylist() == [15_000, None, -2_500]
    request = ScanRequest(dataset=CHANGING, reader_version=3)
    engine.add_reader(
        CHANGING, stamp=VERSION_3, schema=pa.schema([pa.field("value", pa.float64())])
    )
    assert engine.scan(request).read_all().column(0).to_pylist() == [1.5, None, -0.25]
    engine.add_reader(CHANGING, stamp=Stamp("schema-4", 4), schema=pa.schema([scaled("1")]))
    with pytest.raises(VersionNotReadableError):
        engine.scan(replace(request, reader_version=4)).read_all()


def test_t9_only_versions_with_rows_in_question_count(engine: TickEngine) -> None:
    """A range that holds rows of readable versions alone is read."""
    put(engine, ticks(2))
    changed = SCHEMA.set(2, pa.field("price", pa.string(), nullable=False))
    engine.add_version(DATASET, stamp=VERSION_2, schema=changed, generation=2)
    batch = ticks(2, first=2)
    columns = [batch.column(0), batch.column(1), pa.array(["a", "b"]), batch.column(3)]
    put(engine, pa.record_batch(columns, schema=changed), stamp=VERSION_2)
    with pytest.raises(GenerationNotReadableError) as caught:
        engine.plan(READ)
    assert caught.value.metadata["generations"] == "1"
    assert caught.value.metadata["rows"] == "2"
    assert "generation 1, and so on" in caught.value.message
    assert sizes(engine, replace(READ, columns=("size",))) == [0, 1, 2, 3]
    later = engine.scan(replace(READ, start_ns=20)).read_all()
    assert later.column("price").to_pylist() == ["a", "b"]


def column_of(values: list[Any], data_type: pa.DataType) -> pa.Array[Any]:
    column: pa.Array[Any]
    if pa.types.is_dictionary(data_type):
        column = pa.array(values).dictionary_encode().cast(data_type)
    elif pa.types.is_date32(data_type) or pa.types.is_time32(data_type):
        column = pa.array(values, pa.int32()).cast(data_type)
    elif pa.types.is_temporal(data_type):
        column = pa.array(values, pa.int64()).cast(data_type)
    elif pa.types.is_decimal(data_type):
        column = pa.array(values, pa.string()).cast(data_type)
    else:
        column = pa.array(values, data_type)
    return column
