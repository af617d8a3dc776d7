"""What a history proves about when something was so: commits, compaction, visibility, calm."""

from __future__ import annotations

import bisect
from functools import cached_property
from typing import TYPE_CHECKING

from tests.chaos.history import (
    Drained,
    Fault,
    HarnessStalled,
    Hidden,
    ReadingPaused,
    ReplicaStalled,
    StoreSeen,
    WatchEnded,
    WatchOpened,
    WatchResponded,
    Write,
)
from tests.chaos.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.chaos.change_log import ChangeLog, LoggedChange
    from tests.chaos.history import History

NEVER_NS = 1 << 62
SILENT_CUT = "silent_cut"


class _Spans:
    """A time that is made of spans."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._ends: list[int] = []
        self._before: list[int] = []  # the length of all spans before each
        self._spans: list[tuple[int, int]] = []
        total = 0
        for start, end in sorted(spans):
            fresh = max(start, self._ends[-1]) if self._ends else start
            if end > fresh:
                self._spans.append((fresh, end))
                self._ends.append(end)
                self._before.append(total)
                total += end - fresh

    def within(self, from_ns: int, to_ns: int) -> int:
        """How much of it lies within a time."""
        return max(0, self._until(to_ns) - self._until(from_ns))

    def _until(self, at_ns: int) -> int:
        position = bisect.bisect_left(self._ends, at_ns)
        if position < len(self._ends):
            start, _ = self._spans[position]
            return self._before[position] + max(0, at_ns - start)
        if not self._ends:
            return 0
        start, end = self._spans[-1]
        return self._before[-1] + end - start


class Evidence:
    """A history and the log it is judged against.

    Nothing here is a guess: an instant of a commit is bounded by the calls and reads around it.
    """

    def __init__(self, history: History, log: ChangeLog) -> None:
        self.history = history
        self.log = log

    @cached_property
    def streams(self) -> Sequence[Stream]:
        """All streams, in the order they were opened."""
        streams = {o.stream: Stream(o) for o in self.history.of(WatchOpened)}
        for response in self.history.of(WatchResponded):
            streams[response.stream].responses.append(response)
        for end in self.history.of(WatchEnded):
            streams[end.stream].end = end
        for pause in self.history.of(ReadingPaused):
            streams[pause.stream].pauses.append((pause.from_ns, pause.to_ns))
        return list(streams.values())

    @cached_property
    def acknowledged(self) -> Mapping[int, Write]:
        """The write that made each revision, for those whose answer came."""
        return {
            write.revision: write
            for write in self.history.of(Write)
            if write.outcome == "ok" and not write.already and write.kind != "replay"
        }

    def committed_after(self, revision: int) -> int:
        """An instant before which the revision was not committed."""
        return self._latest_below(self._not_before, revision)

    def committed_by(self, revision: int) -> int:
        """An instant by which the revision was committed; NEVER_NS when nothing proves it."""
        keys, values = self._by
        position = bisect.bisect_left(keys, revision)
        return values[position] if position < len(keys) else NEVER_NS

    def compacted_by(self, at_ns: int) -> int:
        """The log was compacted at least so far at an instant."""
        seen = [s.compact_revision for s in self._store if s.to_ns <= at_ns]
        return max(seen, default=0)

    def compacted_at_most(self, at_ns: int) -> int:
        """The log was compacted at most so far at an instant."""
        seen = [s.compact_revision for s in self._store if s.from_ns >= at_ns]
        return min(seen, default=self.log.revision)

    def hidden_throughout(self, subject: str, from_ns: int, to_ns: int) -> bool:
        """Whether the subject was surely hidden in the whole time."""
        states = self._visibility(subject, from_ns, to_ns)
        return bool(states) and all(states)

    def visible_throughout(self, subject: str, from_ns: int, to_ns: int) -> bool:
        """Whether the subject was surely visible in the whole time."""
        return not any(self._visibility(subject, from_ns, to_ns))

    def required(self, stream: Stream, change: LoggedChange, received_ns: int) -> bool:
        """Whether a change had to be delivered on a stream that had passed it at an instant."""
        if not stream.opened.selection.matches(change):
            return False
        from_ns = max(stream.opened.at_ns, self.committed_after(change.revision))
        return self.visible_throughout(change.subject, from_ns, received_ns)

    def missing(
        self, stream: Stream, *, after: int, through: int, received_ns: int
    ) -> list[LoggedChange]:
        """Changes that should have come down a stream that says it has passed them."""
        return [
            change
            for change in self.log.between(after, through)
            if change.key not in stream.delivered_keys
            and self.required(stream, change, received_ns)
        ]

    def calm(self, stream: Stream, from_ns: int, to_ns: int) -> bool:
        """Whether a stream was undisturbed and its replica not drained in the whole time."""
        replica = stream.opened.lane.split("/")[0]
        return self.undisturbed(stream, from_ns, to_ns) and not any(
            drained.replica == replica and drained.from_ns < to_ns and drained.to_ns > from_ns
            for drained in self.history.of(Drained)
        )

    def undisturbed(self, stream: Stream, from_ns: int, to_ns: int) -> bool:
        """Whether nothing was broken on purpose that a stream could feel in the whole time.

        A silent cut lasts for as long as the streams that it met.
        """
        lane = stream.opened.lane
        targets = (lane, lane.split("/")[0], "*")
        return not any(
            fault.target in targets
            and fault.from_ns < to_ns
            and (
                stream.opened.at_ns < fault.to_ns
                if fault.name == SILENT_CUT
                else fault.to_ns > from_ns
            )
            for fault in self.history.of(Fault)
        ) and not any(start < to_ns and end > from_ns for start, end in stream.pauses)

    def stalled_ns(self, stream: Stream, from_ns: int, to_ns: int) -> int:
        """How long within a time the harness or the replica of a stream stood still."""
        return self._stalls_of(stream.opened.lane.split("/")[0]).within(from_ns, to_ns)

    def _stalls_of(self, replica: str) -> _Spans:
        known = self._stalls.get(replica)
        if known is None:
            known = self._stalls[replica] = _Spans(
                [
                    *((s.from_ns, s.to_ns) for s in self.history.of(HarnessStalled)),
                    *(
                        (s.from_ns, s.to_ns)
                        for s in self.history.of(ReplicaStalled)
                        if s.replica == replica
                    ),
                ]
            )
        return known

    @cached_property
    def _stalls(self) -> dict[str, _Spans]:
        return {}

    @cached_property
    def _store(self) -> Sequence[StoreSeen]:
        return list(self.history.of(StoreSeen))

    @cached_property
    def _not_before(self) -> tuple[list[int], list[int]]:
        """By revision, rising in both: what is committed later was not committed before."""
        bounds = {r: w.called_ns for r, w in self.acknowledged.items()}
        for seen in self._store:
            following = seen.revision + 1
            bounds[following] = max(bounds.get(following, 0), seen.from_ns)
        keys = sorted(bounds)
        values: list[int] = []
        for key in keys:
            values.append(max(bounds[key], values[-1] if values else 0))
        return keys, values

    @cached_property
    def _by(self) -> tuple[list[int], list[int]]:
        bounds = {r: w.returned_ns for r, w in self.acknowledged.items()}
        for seen in self._store:
            bounds[seen.revision] = min(bounds.get(seen.revision, NEVER_NS), seen.to_ns)
        keys = sorted(bounds)
        values = [bounds[key] for key in keys]
        for position in range(len(values) - 2, -1, -1):
            values[position] = min(values[position], values[position + 1])
        return keys, values

    def _latest_below(self, bounds: tuple[list[int], list[int]], revision: int) -> int:
        keys, values = bounds
        position = bisect.bisect_right(keys, revision) - 1
        return values[position] if position >= 0 else 0

    @cached_property
    def _hidden(self) -> Sequence[Hidden]:
        return [Hidden(0, 0, ()), *self.history.of(Hidden)]

    def _visibility(self, subject: str, from_ns: int, to_ns: int) -> list[bool]:
        """Whether it was hidden, in every state that may have held within a time."""
        return [
            bool(state.prefixes) and subject.startswith(state.prefixes)
            for state, following in zip(
                self._hidden, [*self._hidden[1:], Hidden(NEVER_NS, NEVER_NS, ())], strict=True
            )
            if state.from_ns <= to_ns and following.to_ns >= from_ns
        ]
