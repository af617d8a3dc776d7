"""Compatibility: the three gates, how long a comparison takes, and what hostile pairs cost."""

from __future__ import annotations

import json
import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from bench._measure import SECONDS, at_least, at_most, quantile, report
from tests.conformance.schema.evolutions import random_row
from tests.conformance.schema.gates import (
    Score,
    change_table_outcomes,
    containment_suite,
    evolutions,
)
from tests.conformance.schema.hostile_pairs import PAIRS
from tests.support.shared_data import find_shared_folder
from tickmesh.schema import SchemaError, parse_document
from tickmesh.schema.compatibility import Mode, Policy, Verdict, compare
from tickmesh.schema.resolution import resolve_row, row_is_valid

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = "compat"
_SEED = 20240808
_EVOLUTIONS = 400
_ROWS = 100_000
_SOUND = (Policy.RECORD, Policy.CONTAINMENT)


def main() -> None:
    """Prints every figure."""
    gates()
    wide_record()
    hostile_pairs()


def gates() -> None:
    """The gates of soundness: the independent suite, the change table, generated evolutions."""
    suite = find_shared_folder("json-schema-containment")
    remotes = find_shared_folder("json-schema-test-suite")
    if suite is not None and remotes is not None:
        _gate("containment_suite", Score.of(containment_suite(suite, remotes / "remotes")), 0.99)
    _gate("change_table", Score.of(change_table_outcomes()), 0.95)
    _generated_evolutions()


def _gate(name: str, score: Score, least: float) -> None:
    decided = (score.total - score.undecided) / score.total
    report(BENCH, f"{name}_questions", score.total, "1")
    report(BENCH, f"{name}_right", score.right / score.total, "share", target=at_least(least))
    report(BENCH, f"{name}_false_accepts", len(score.false_accepts), "1", target=at_most(0))
    report(BENCH, f"{name}_false_rejects", len(score.false_rejects), "1", target=at_most(0))
    report(BENCH, f"{name}_decided", decided, "share", target=at_least(0.95))


def _generated_evolutions() -> None:
    found = list(evolutions(_EVOLUTIONS, seed=_SEED))
    undecided = sum(each.report.verdict is Verdict.UNDECIDED for each in found)
    unconfirmed = 0
    for each in found:
        for witness in each.report.witnesses:
            resolved = resolve_row(witness, writer=each.writer, reader=each.reader)
            if not row_is_valid(witness, each.writer) or row_is_valid(resolved, each.reader):
                unconfirmed += 1
    accepted = [each for each in found if each.report.verdict is Verdict.COMPATIBLE]
    generator = random.Random(_SEED)
    judged, contradicted = 0, set()
    while judged < _ROWS:
        for place, each in enumerate(accepted):
            for _ in range(100):
                row = random_row(each.written, generator)
                if row_is_valid(row, each.writer):
                    judged += 1
                    resolved = resolve_row(row, writer=each.writer, reader=each.reader)
                    if not row_is_valid(resolved, each.reader):
                        contradicted.add(place)
    decided = (len(found) - undecided) / len(found)
    report(BENCH, "evolutions_compared", len(found), "1")
    report(BENCH, "evolutions_rows_judged", judged, "1", target=at_least(_ROWS))
    report(BENCH, "evolutions_false_accepts", len(contradicted), "1", target=at_most(0))
    report(BENCH, "evolutions_witnesses_not_confirmed", unconfirmed, "1", target=at_most(0))
    report(BENCH, "evolutions_decided", decided, "share", target=at_least(0.95))


def wide_record() -> None:
    """A closed record of 102 properties to which one optional field is added."""
    old, new = _wide_pair()
    for policy in _SOUND:
        parsed = parse_document(old), parse_document(new)
        _times(f"{policy}_102_properties_parsed", _asked(*parsed, policy), target=5)
        _times(f"{policy}_102_properties_from_text", _asked(old, new, policy), target=5)
        _times(
            f"{policy}_102_properties_refused",
            _asked(*parsed, policy, mode=Mode.FORWARD),
            target=None,
        )


def _asked(old: Any, new: Any, policy: Policy, *, mode: Mode = Mode.BACKWARD) -> Callable[[], Any]:
    return lambda: compare(old, new, policy=policy, mode=mode)


def _wide_pair() -> tuple[str, str]:
    kinds: tuple[dict[str, Any], ...] = (
        {"type": "number", "minimum": 0},
        {"type": "string", "maxLength": 12},
        {"type": "integer"},
        {"type": ["string", "null"], "enum": ["B", "S", None]},
    )
    fields = {f"field_{place}": kinds[place % len(kinds)] for place in range(102)}
    schema = {
        "type": "object",
        "properties": fields,
        "required": ["field_0", "field_1"],
        "additionalProperties": False,
    }
    wider = {**schema, "properties": {**fields, "added": {"type": "string"}}}
    return json.dumps(schema), json.dumps(wider)


def _times(name: str, ask: Callable[[], Any], *, target: float | None) -> None:
    ask()
    taken: list[float] = []
    end = time.perf_counter() + SECONDS / 4
    while len(taken) < 20 or time.perf_counter() < end:
        started = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - started))
    bound = None if target is None else at_most(target)
    report(BENCH, f"{name}_p50", statistics.median(taken), "ms", target=bound)
    report(BENCH, f"{name}_p99", quantile(taken, 0.99), "ms")


def hostile_pairs() -> None:
    """What the costliest pair known takes, parsed before."""
    slowest = 0.0
    for old, new in PAIRS.values():
        try:
            documents = parse_document(json.dumps(old)), parse_document(json.dumps(new))
        except SchemaError:
            continue
        for policy in _SOUND:
            started = time.perf_counter()
            try:
                compare(*documents, policy=policy)
            except SchemaError:
                continue
            slowest = max(slowest, time.perf_counter() - started)
    report(BENCH, "hostile_pairs_slowest", slowest, "s", target=at_most(1))


if __name__ == "__main__":
    main()
