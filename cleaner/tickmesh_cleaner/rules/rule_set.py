"""The tick rules of one schema, compiled, and what they say of a batch.

Rules without memory look at every row, so a row they refuse has all their reasons. Rules with a
memory then look, one after the other, at the rows that are still good: what is held back never
shapes a later verdict.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.roles import roles_of
from tickmesh.schema.validation.encodings import decoded_batch, decoded_schema
from tickmesh_cleaner.domain.quarantine import RowReason
from tickmesh_cleaner.rules.catalogue import FLAGS_KEYWORD, RULES
from tickmesh_cleaner.rules.memory import Memory, Recollection, RuleState
from tickmesh_cleaner.rules.parameters import Parameters, RuleError
from tickmesh_cleaner.rules.placing import placed_rules
from tickmesh_cleaner.rules.rows import Rows
from tickmesh_cleaner.rules.severity import FLAG_BITS, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tickmesh.schema import SchemaDocument
    from tickmesh_cleaner.rules.placing import Placed
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Integers
    from tickmesh_cleaner.rules.rule import Rule

_RULES_RELEASE = "1"
"""Raised whenever a rule comes to judge some row otherwise."""


@dataclass(frozen=True, slots=True)
class RepairedValue:
    """A value a rule mended.

    Attributes:
        row: The row.
        field: The field.
        before: What stood there.
        after: What stands there now.
        code: The rule's code.
        schema_path: JSON Pointer to the rule.
    """

    row: int
    field: str
    before: Any
    after: Any
    code: str
    schema_path: str


@dataclass(frozen=True)
class Ruling:
    """What the rules say of some rows.

    Attributes:
        held: The rows refused, with all reasons found.
        dropped: The rows that repeat earlier ones and are left out, ascending.
        flags: For each row the bits of the rules that flagged it; see `FLAG_BITS`.
        repaired: Values mended in rows that are neither refused nor left out.
        columns: Columns with other values than before, whole: mended ones, and the flags.
        after: What the rules remember now.
    """

    held: Mapping[int, tuple[RowReason, ...]]
    dropped: Sequence[int]
    flags: Integers
    repaired: Sequence[RepairedValue]
    columns: Mapping[str, pa.Array[Any]]
    after: RuleState

    @property
    def flagged(self) -> dict[str, int]:
        """Rows flagged that are neither refused nor left out, by code."""
        return count_flags(self.flags[self.staying()])

    def staying(self) -> Booleans:
        """For each row whether it is neither refused nor left out."""
        stays = np.ones(len(self.flags), dtype=np.bool_)
        stays[list(self.held)] = False
        stays[list(self.dropped)] = False
        return stays


@dataclass
class _Judging:
    """A ruling in the making."""

    flags: Integers
    held: dict[int, list[RowReason]] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    repaired: list[RepairedValue] = field(default_factory=list)

    def note(self, rule: Rule, found: Breach, index: Integers, column: Any) -> None:
        """Note a breach; `index` leads from the rows the rule saw to the rows of the batch."""
        rows = index[found.rows]
        severity = Severity(found.severity or rule.severity)
        if severity is Severity.FLAG:
            self.flags[rows] |= 1 << FLAG_BITS[found.code]
        elif severity is Severity.DROP:
            self.dropped.update(rows.tolist())
        elif severity is Severity.REPAIR:
            for place, row in enumerate(rows.tolist()):
                before = column[int(found.rows[place])].as_py()
                after = found.repaired[place].as_py()
                assert rule.field is not None
                self.repaired.append(
                    RepairedValue(row, rule.field, before, after, found.code, rule.schema_path)
                )
        else:
            for place, row in enumerate(rows.tolist()):
                self.held.setdefault(row, []).append(
                    RowReason(
                        found.code, rule.instance_path, rule.schema_path, found.message(place)
                    )
                )

    def gone(self) -> Booleans:
        """For each row whether it is refused or left out."""
        gone = np.zeros(len(self.flags), dtype=np.bool_)
        gone[list(self.held)] = True
        gone[list(self.dropped)] = True
        return gone


class RuleSet:
    """The tick rules of one schema. Immutable, and used by any number of threads.

    Attributes:
        rules: The rules, those without memory first.
        fingerprint: Names the rules, their parameters, places and data; empty without rules.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        columns: pa.Schema,
        symbol: str | None,
        flags_field: str | None,
    ) -> None:
        """Put rules together; `compile_rules` finds them."""
        self.rules = tuple(sorted(rules, key=lambda rule: rule.remembers))
        self._columns = columns
        self._decoded = decoded_schema(columns)
        self._symbol = symbol
        self._flags_field = flags_field
        self.fingerprint = ""
        if self:
            parts = [_RULES_RELEASE, flags_field or "", *(rule.fingerprint for rule in self.rules)]
            self.fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.rules) or self._flags_field is not None

    def judge(self, batch: pa.RecordBatch, before: RuleState) -> Ruling:
        """Judge rows that the schema accepts, in the order of their source.

        Args:
            batch: The rows, with the columns the rules were compiled for.
            before: What the rules remember of the rows before; `RuleState()` for the first.
        """
        return self._judge(batch, before, lambda rule, rows, memory: rule.judge(rows, memory))

    def judge_whole(self, table: pa.Table) -> Ruling:
        """Judge a whole recording: rules that have a centred form look both ways.

        What is known only afterwards must not be used in trading or in a backtest of it: the
        causal verdicts of `judge` are what was known at the time.

        Args:
            table: All rows in the order of their source.
        """
        batches = table.combine_chunks().to_batches()
        batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self._columns)
        return self._judge(
            batch, RuleState(), lambda rule, rows, memory: rule.judge_whole(rows, memory)
        )

    def judge_alone(self, batch: pa.RecordBatch) -> Ruling:
        """Judge rows that stand alone, out of their order: by the rules without memory only."""
        return RuleSet(
            [rule for rule in self.rules if not rule.remembers],
            columns=self._columns,
            symbol=self._symbol,
            flags_field=self._flags_field,
        ).judge(batch, RuleState())

    def still_refuses(self, reason: RowReason) -> bool:
        """Whether a reason was given by a rule with memory that refuses rows today as well."""
        return any(
            rule.remembers
            and rule.severity is not Severity.FLAG
            and rule.schema_path == reason.schema_path
            for rule in self.rules
        )

    def _judge(
        self,
        batch: pa.RecordBatch,
        before: RuleState,
        judge: Callable[[Rule, Rows, Memory], Sequence[Breach]],
    ) -> Ruling:
        batch = decoded_batch(batch, self._decoded)
        decoded = batch
        codes, symbols = self._symbols(decoded)
        recollection = Recollection(before, symbols)
        rows = Rows(decoded, recollection.slots[codes])
        index = np.arange(len(rows))
        judging = _Judging(np.zeros(len(rows), dtype=np.int64))
        columns: dict[str, Any] = {}
        known_gone = 0
        for rule in self.rules:
            if rule.remembers:
                gone_by_now = len(judging.held) + len(judging.dropped)
                if gone_by_now > known_gone:
                    index = np.flatnonzero(~judging.gone())
                    rows = _taken(decoded, index, recollection.slots[codes])
                    known_gone = gone_by_now
            memory = recollection.of(rule.fingerprint, rule.cells()) if rule.remembers else Memory()
            for found in judge(rule, rows, memory):
                column = rows.column(rule.field) if rule.field is not None else None
                judging.note(rule, found, index, column)
                if found.repaired is not None:
                    decoded = _with_values(decoded, str(rule.field), index[found.rows], found)
                    columns[str(rule.field)] = decoded.column(str(rule.field))
                    rows = _taken(decoded, index, recollection.slots[codes])
        gone = judging.gone()
        if self._flags_field is not None:
            columns[self._flags_field] = self._with_flags(decoded, judging.flags)
        return Ruling(
            held={row: tuple(reasons) for row, reasons in sorted(judging.held.items())},
            dropped=sorted(judging.dropped - judging.held.keys()),
            flags=judging.flags,
            repaired=[value for value in judging.repaired if not gone[value.row]],
            columns={
                name: self._encoded(name, _kept(batch.column(name), column, gone))
                for name, column in columns.items()
            },
            after=recollection.after() if any(rule.remembers for rule in self.rules) else before,
        )

    def _symbols(self, decoded: pa.RecordBatch) -> tuple[Integers, Sequence[str | None]]:
        """For each row the number of its symbol, and the symbols; all one without the role."""
        if self._symbol is None or not any(rule.remembers for rule in self.rules):
            return np.zeros(decoded.num_rows, dtype=np.int64), [None]
        column: Any = decoded.column(self._symbol)
        if not pt.is_dictionary(column.type):
            column = column.dictionary_encode()
        symbols: list[str | None] = column.dictionary.to_pylist()
        codes = column.indices
        if codes.null_count:
            codes = codes.fill_null(len(symbols))
        codes = codes.to_numpy(zero_copy_only=False).astype(np.int64)
        if len(codes) and int(codes.max()) == len(symbols):
            symbols = [*symbols, None]
        used = np.unique(codes)
        if len(used) < len(symbols):
            # A dictionary may hold what no row holds.
            codes = np.searchsorted(used, codes)
            symbols = [symbols[code] for code in used.tolist()]
        return codes, symbols

    def _with_flags(self, decoded: pa.RecordBatch, flags: Integers) -> Any:
        assert self._flags_field is not None
        column: Any = decoded.column(self._flags_field)
        before = column.cast(pa.int64()).fill_null(0).to_numpy()
        return pa.array(before | flags, pa.int64()).cast(column.type)

    def _encoded(self, name: str, column: Any) -> pa.Array[Any]:
        """A decoded column as the schema's own type holds it."""
        kind = self._columns.field(name).type
        if column.type == kind:
            same: pa.Array[Any] = column
            return same
        scale = column.type.scale
        encoded: pa.Array[Any] = pa.array(
            [None if value is None else int(value.scaleb(scale)) for value in column.to_pylist()],
            kind,
        )
        return encoded


def count_flags(flags: Integers) -> dict[str, int]:
    """How many rows each code flagged; codes that flagged none are not there."""
    if not flags.any():
        return {}
    counts = {code: np.count_nonzero(flags & (1 << bit)) for code, bit in FLAG_BITS.items()}
    return {code: int(count) for code, count in sorted(counts.items()) if count}


def compile_rules(document: SchemaDocument, columns: pa.Schema) -> RuleSet:
    """Compile the tick rules of a schema.

    Args:
        document: The schema.
        columns: Its Arrow projection.

    Returns:
        The rules; an empty set when the schema states none.

    Raises:
        RuleError: A rule is wrong, at the place named.
    """
    names = [*RULES, FLAGS_KEYWORD]
    placed = placed_rules(document, columns.names, names)
    if not placed:
        return RuleSet((), columns=columns, symbol=None, flags_field=None)
    roles = roles_of(document)
    decoded = decoded_schema(columns)
    flags_field: str | None = None
    rules: dict[str, Rule] = {}
    for each in placed:
        if each.keyword == FLAGS_KEYWORD:
            if flags_field not in {None, each.field}:
                raise RuleError(f"{flags_field!r} holds the flags already", pointer=each.pointer)
            flags_field = _flags_field(each, decoded)
            continue
        kind = RULES[each.keyword]
        if kind.stands_at != ("row" if each.field is None else "field"):
            where = "the row" if kind.stands_at == "row" else "a field of the row"
            raise RuleError(f"{each.keyword} stands at {where}", pointer=each.pointer)
        parameters = Parameters(
            each.keyword,
            each.value,
            pointer=each.pointer,
            field=each.field,
            columns=decoded,
            roles=roles,
            shorthand=kind.shorthand,
        )
        rule = kind(parameters)
        parameters.finish()
        rule.fingerprint = _fingerprint(each, rule, roles.symbol)
        rules[rule.fingerprint] = rule
    places = list(RULES)
    return RuleSet(
        sorted(rules.values(), key=lambda rule: places.index(rule.keyword)),
        columns=columns,
        symbol=roles.symbol,
        flags_field=flags_field,
    )


def _fingerprint(placed: Placed, rule: Rule, symbol: str | None) -> str:
    parts = [placed.keyword, placed.pointer, placed.field, placed.value, rule.data_version, symbol]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:16]


def _flags_field(placed: Placed, columns: pa.Schema) -> str:
    if placed.value is not True:
        raise RuleError("expected true", pointer=placed.pointer)
    least_bits = max(FLAG_BITS.values()) + 2
    kind: Any = None if placed.field is None else columns.field(placed.field).type
    if placed.field is None or not pt.is_integer(kind) or kind.bit_width < least_bits:
        raise RuleError(
            f"flags stand at a field of integers of at least 16 bits, not at {kind or 'the row'}",
            pointer=placed.pointer,
        )
    return placed.field


def _taken(decoded: pa.RecordBatch, index: Integers, slots: Integers) -> Rows:
    if len(index) == decoded.num_rows:
        return Rows(decoded, slots)
    return Rows(decoded.take(pa.array(index, pa.int64())), slots[index])


def _kept(before: pa.Array[Any], after: pa.Array[Any], gone: Booleans) -> pa.Array[Any]:
    """A changed column, but with what stood there in rows that are refused or left out."""
    if not gone.any():
        return after
    places = np.arange(len(gone))
    both = pa.concat_arrays([before, after])
    return both.take(pa.array(np.where(gone, places, places + len(gone)), pa.int64()))


def _with_values(batch: pa.RecordBatch, name: str, rows: Integers, found: Breach) -> pa.RecordBatch:
    """A batch with other values in some rows of a column."""
    column: Any = batch.column(name)
    source = pa.concat_arrays([column, found.repaired])
    places = np.arange(len(column))
    places[rows] = len(column) + np.arange(len(rows))
    return batch.set_column(
        batch.schema.get_field_index(name), name, source.take(pa.array(places, pa.int64()))
    )
