"""Judging what waits: all at once, and where that fails halved until each bad message is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import RowsRefusedError
from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.columns import require_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tickmesh_tickstore.engine.acknowledgement import Answer
    from tickmesh_tickstore.engine.group import AppendWork, Sender
    from tickmesh_tickstore.engine.interface import Judge

    Message = tuple[AppendWork, int]

__all__ = ["Sifted", "joined_rows", "sift"]


def joined_rows(works: Sequence[AppendWork], *, judged: bool = False) -> pa.RecordBatch | None:
    """All rows of some work as one batch of its schema version.

    Returns:
        `None` where a message is not fit for it: it has other columns, cannot be prepared, or is
        refused by the judge, who is asked unless the rows are `judged`.
    """
    first = works[0].sender
    try:
        batches: list[pa.RecordBatch] = []
        for work in works:
            prepare = work.sender.prepare
            if prepare is None or judged:
                batches.extend(work.batches)
            else:
                batches.append(prepare(join_batches(work.batches)))
        batch = join_batches(batches)
        require_columns(first.layout, batch)
        refused = not judged and first.judge(batch) is not None
    except Exception:  # noqa: BLE001  # whose fault it is is found out message by message
        return None
    return None if refused else batch


@dataclass(slots=True)
class Sifted:
    """What sifting found.

    Attributes:
        errors: Why messages are refused, by work and place in it. What a stream sent behind its
            first bad message is not looked at: it goes down with it.
        good: The messages that are let in, as batches of their schema version.
    """

    errors: dict[Message, Exception] = field(default_factory=dict)
    good: dict[Message, pa.RecordBatch] = field(default_factory=dict)

    def only(self, work: AppendWork, places: Sequence[int]) -> AppendWork:
        """The work with some of its messages, all of them good."""
        batches = [self.good[work, place] for place in places]
        sequences = [work.sequences[place] for place in places] if work.sequences else []
        rows = sum(batch.num_rows for batch in batches)
        return replace(work, batches=batches, sequences=sequences, rows=rows)


def sift(works: Sequence[AppendWork], *, wanted: Callable[[AppendWork, int], bool]) -> Sifted:
    """Judge the messages of some work one by one, as far as it matters.

    Args:
        works: What waits, with one judge.
        wanted: Whether a message may be stored, by work and place in it; others are not judged.
    """
    sifted = Sifted()
    ended: set[Answer] = set()
    messages: list[tuple[Message, pa.RecordBatch]] = []
    for work in works:
        for place, batch in enumerate(work.batches):
            if not wanted(work, place):
                continue
            try:
                messages.append(((work, place), _prepared(work.sender, batch)))
            except Exception as error:  # noqa: BLE001  # it belongs to its sender
                sifted.errors[work, place] = error
                break
    judge = works[0].sender.judge
    parts = [messages]
    while parts:
        # Left to right, so that what follows a stream's bad message is passed over.
        part = [each for each in parts.pop() if each[0][0].answer not in ended]
        if not part:
            continue
        refused = _verdict(judge, [batch for _, batch in part])
        if refused is None:
            sifted.good.update(part)
        elif len(part) == 1:
            message = part[0][0]
            sifted.errors[message] = refused
            ended.add(message[0].answer)
        else:
            middle = len(part) // 2
            parts += [part[middle:], part[:middle]]
    return sifted


def _prepared(sender: Sender, batch: pa.RecordBatch) -> pa.RecordBatch:
    prepared = batch if sender.prepare is None else sender.prepare(batch)
    require_columns(sender.layout, prepared)
    return prepared


def _verdict(judge: Judge, batches: Sequence[pa.RecordBatch]) -> Exception | None:
    try:
        refusal = judge(join_batches(batches))
    except Exception as error:  # noqa: BLE001  # a judge's bug belongs to its producer, not to the writer
        return error
    return None if refusal is None else RowsRefusedError(refusal)
