"""The records of a followed file, those that are there and those that come."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tickmesh.decoding.decoded import DecodeError, Position
from tickmesh.decoding.framing import BATCH_BYTES
from tickmesh_cleaner.domain.errors import SourceRangeLostError, SourceUnreadableError
from tickmesh_cleaner.domain.identity import BATCH_RECORDS
from tickmesh_cleaner.sources.followed.lines import LineFormat, long_line_end, window
from tickmesh_cleaner.sources.followed.place import HEAD_BYTES, FileMark, Place, awaited_since
from tickmesh_cleaner.sources.source import Quiet, ReadProgress, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job_source import SourceIdentity
    from tickmesh_cleaner.sources.followed.family import FileFamily
    from tickmesh_cleaner.sources.followed.generation import Generation

_SHORTEST_WAIT_SECONDS = 0.005
_LONGEST_WAIT_SECONDS = 0.1
_GRACE_SECONDS = 0.1
"""How long a rotated file must have been quiet before it is left: who writes opens the new one a
moment after the rename."""


@dataclass(slots=True)
class _Cursor:
    """Where reading is.

    Attributes:
        generation: The file.
        position: Where in it; None until its first line is whole.
        mark: What it was known by when it was last read.
        is_final: Whether nothing will be appended to it.
        noticed_at: Since when it is quiet without its name; monotonic seconds.
        noticed_bytes: Its size then.
        waited_bytes: Its size when it was found to end within a record.
        seen: Its size and times when no record was found in it yet.
        is_gone: Whether it was told that nothing has the name.
        first: Finds the file that is to be read here. Asked again when the first bytes were taken:
            until then, nothing of the file tells that it was copied and cut meanwhile.
    """

    generation: Generation
    position: Position | None
    mark: FileMark
    is_final: bool = False
    noticed_at: float | None = None
    noticed_bytes: int = 0
    waited_bytes: int = -1
    seen: tuple[int, int, int] | None = None
    is_gone: bool = False
    first: Callable[[], Generation | None] | None = None


class FollowedRecords:
    """The records of one followed file. Used by one thread."""

    replayable = True

    def __init__(
        self,
        family: FileFamily,
        *,
        spec: SourceSpec,
        names: tuple[str, ...],
        file_name: str,
        identity: SourceIdentity,
        note: Callable[[str, str], None] = lambda _code, _message: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the file; it is opened by `read` and `follow`.

        Args:
            family: The files that have or had the name.
            spec: How its records are cut and mapped.
            names: The columns of CSV.
            file_name: The file name constants are taken from.
            identity: Its signature is the token of where the job began.
            note: Told what happens to the file: a code and a message.
            wait: Waits for some seconds, or raises what is to stop the job.
        """
        self.name = family.name
        self._family = family
        self._spec = spec
        self._lines = LineFormat(spec, names=names)
        self._file_name = file_name
        self._identity = identity
        self._note = note
        self._wait = wait

    def identify(self) -> SourceIdentity:
        """The feed is the job's own, whatever it will bring."""
        return self._identity

    def verify(self, identity: SourceIdentity) -> None:
        """It changes all the time."""

    def committed(self, position: str) -> None:
        """The file itself keeps what was read: nothing is to be freed."""

    def progress(self, position: str) -> ReadProgress:
        """Bytes of the present file read; a file that grows has no total."""
        return ReadProgress(Place.parse(position).position.offset, 0)

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = BATCH_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """Records of a range, or those that are there now; see `Source.read`.

        Raises:
            SourceRangeLostError: No file holds the range any more.
        """
        if start is None or end is None:
            with closing(self._follow(start, batch_records=batch_records)) as items:
                for item in items:
                    if isinstance(item, Quiet):
                        return
                    yield item
            return
        yield from self._range(Place.parse(start), Place.parse(end), batch_records)

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        """Records from a place on, and those that come; see `LiveSource.follow`."""
        return self._follow(start, batch_records=BATCH_RECORDS)

    # What is asked for again ------------------------------------------------------------------

    def _range(
        self, start: Place, end: Place, batch_records: int
    ) -> Generator[SourceBatch, None, None]:
        lost = SourceRangeLostError(
            self.name, first=start.position.offset, last=end.position.offset
        )
        generation = self._family.find(end) if _within_one_file(start, end) else None
        if generation is not None and not generation.begins_as(start.mark):
            # Cut to nothing between the two: one inode, two contents.
            generation.close()
            generation = None
        if generation is not None:
            cursor = _Cursor(generation, start.position, end.mark)
        else:
            cursor = self._find(start, lost)
            while not (cursor.generation.begins_as(end.mark) and cursor.mark != start.mark):
                yield from self._rest(cursor, batch_records)
                cursor = self._next_of(cursor, lost)
        try:
            yield from self._decoded(cursor, end.position.offset, end.mark, batch_records)
        except SourceUnreadableError as error:
            raise lost from error
        finally:
            cursor.generation.close()

    def _find(self, place: Place, lost: SourceRangeLostError) -> _Cursor:
        generation = self._family.find(place)
        if generation is None:
            raise lost
        return _Cursor(generation, place.position, place.mark, is_final=True)

    def _next_of(self, cursor: _Cursor, lost: SourceRangeLostError) -> _Cursor:
        generation = self._family.successor(cursor.generation)
        cursor.generation.close()
        if generation is None:
            raise lost
        following = _begin(generation)
        following.is_final = True
        return following

    # What is there and what comes -------------------------------------------------------------

    def _follow(
        self, start: str | None, *, batch_records: int
    ) -> Generator[SourceBatch | Quiet, None, None]:
        beginning = self._identity.signature
        awaits_first = start is None and awaited_since(beginning) is not None
        cursor = None if awaits_first else self._reopen(Place.parse(start or beginning))
        # The file that was left last, until something of the one after it was read.
        behind: Generation | None = None
        wait_seconds = _SHORTEST_WAIT_SECONDS
        try:
            while True:
                if cursor is None:
                    cursor = self._open(behind, beginning if awaits_first else "")
                if cursor is not None:
                    awaits_first = False
                    came = False
                    for batch in self._whole_lines(cursor, batch_records):
                        came = True
                        yield batch
                    if came:
                        if behind is not None:
                            behind.close()
                            behind = None
                        wait_seconds = _SHORTEST_WAIT_SECONDS
                        continue
                    if self._is_left(cursor):
                        if not self._is_truncated(cursor):
                            yield from self._rest(cursor, batch_records)
                        left = cursor.generation
                        cursor = self._go_on_from(cursor)
                        if behind is not None:
                            behind.close()
                        behind = left
                        continue
                yield Quiet("" if cursor else f"waits for {self.name}, which is not there")
                self._wait(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
        finally:
            for held in (behind, cursor.generation if cursor is not None else None):
                if held is not None:
                    held.close()

    def _open(self, behind: Generation | None, beginning: str) -> _Cursor | None:
        """The file to go on with when none is open: the first one, or the one after another."""
        if behind is not None:
            return self._begin_first(partial(self._family.successor, behind))
        if beginning:
            return self._begin_first(partial(self._family.open_first, beginning))
        present = self._family.open_present()
        return _begin(present) if present else None

    @staticmethod
    def _begin_first(first: Callable[[], Generation | None]) -> _Cursor | None:
        found = first()
        if found is None:
            return None
        cursor = _begin(found)
        cursor.first = first
        return cursor

    @staticmethod
    def _turns_back(cursor: _Cursor) -> bool:
        """Whether another file is to be read before the one of the cursor; it stands there then."""
        found = cursor.first() if cursor.first is not None else None
        if found is None:
            return False
        if found.key == cursor.generation.key:
            found.close()
            return False
        cursor.generation.close()
        cursor.generation, cursor.mark = found, found.mark(upto=0)
        cursor.seen = None
        return True

    def _reopen(self, place: Place) -> _Cursor | None:
        """Where reading stopped; the present file where that is not to be found any more."""
        generation = self._family.find(place)
        if generation is not None and not place.position.offset:
            return _begin(generation)
        if generation is not None:
            return _Cursor(generation, place.position, place.mark)
        self._note(
            "GAP",
            f"an earlier {self.name} was read to byte {place.position.offset:,} and is not there "
            "any more, neither under this name nor beside it: what followed in it was never seen",
        )
        present = self._family.open_present()
        return _begin(present) if present else None

    def _whole_lines(
        self, cursor: _Cursor, batch_records: int
    ) -> Generator[SourceBatch, None, None]:
        """The records that are complete behind the cursor, at most a window of them."""
        generation = cursor.generation
        if generation.is_packed or generation.size_bytes == cursor.waited_bytes:
            return
        position = cursor.position
        if position is None:
            # Cut and written anew to the same size, it has another time; within a tick of the
            # clock, another size.
            seen = (generation.size_bytes, *generation.last_changed_ns)
            if seen == cursor.seen:
                return
            cursor.seen = seen
            head = window(generation, Position())
            position = self._lines.first_record(head, is_whole=cursor.is_final)
            if position is None:
                self._turns_back(cursor)
                return
        data = window(generation, position)
        # Looked at after the bytes were taken: what was cut off and written anew is not in them.
        if self._is_truncated(cursor) or (cursor.position is None and self._turns_back(cursor)):
            return
        whole = self._lines.whole_bytes(data)
        end = position.offset + whole
        if not whole and len(data) == BATCH_BYTES:
            end = long_line_end(generation, position.offset + len(data))
        if end <= position.offset:
            if cursor.position is not None:
                cursor.waited_bytes = position.offset + len(data)
            return
        cursor.position = position
        cursor.mark = generation.mark(upto=end)
        content = iter([data[:whole]]) if whole else generation.content(position.offset)
        yield from self._decoded(cursor, end, cursor.mark, batch_records, content=content)
        if cursor.position.offset < end:
            # Blank lines alone make no record.
            blank = data[cursor.position.offset - position.offset : whole].count(b"\n")
            cursor.position = Position(end, cursor.position.line + blank, cursor.position.record)

    def _rest(self, cursor: _Cursor, batch_records: int) -> Generator[SourceBatch, None, None]:
        """All that is left of a file which nothing will be appended to, ended or not."""
        mark = cursor.generation.mark(upto=HEAD_BYTES)
        yield from self._decoded(cursor, None, mark, batch_records)

    def _decoded(
        self,
        cursor: _Cursor,
        end: int | None,
        mark: FileMark,
        batch_records: int,
        *,
        content: Iterator[bytes] | None = None,
    ) -> Generator[SourceBatch, None, None]:
        if cursor.position is None:
            head = next(cursor.generation.content(0), b"")
            cursor.position = self._lines.first_record(head, is_whole=True)
        assert cursor.position is not None
        batches = self._lines.decode(
            content or cursor.generation.content(cursor.position.offset),
            start=cursor.position,
            end=end,
            batch_records=batch_records,
        )
        try:
            for decoded in batches:
                cursor.position = decoded.end
                yield SourceBatch(
                    start=Place(mark, decoded.start).token(),
                    end=Place(mark, decoded.end).token(),
                    decoded=decoded,
                    spec=self._spec,
                    file_name=self._file_name,
                )
        except DecodeError as error:
            raise SourceUnreadableError(
                self.name, cause=f"{error.code}: {error.message}", offset=error.offset
            ) from error

    # What happens to the file -----------------------------------------------------------------

    def _is_truncated(self, cursor: _Cursor) -> bool:
        """Whether what was read of a file is no longer what stands in it."""
        offset = cursor.position.offset if cursor.position else 0
        generation = cursor.generation
        shorter = not generation.is_packed and generation.size_bytes < offset
        return shorter or not generation.begins_as(cursor.mark)

    def _is_left(self, cursor: _Cursor) -> bool:
        """Whether the file of the cursor has nothing more to come."""
        if cursor.is_final or cursor.generation.is_packed or self._is_truncated(cursor):
            return True
        present = self._family.look()
        if present is not None and present.key == cursor.generation.key:
            cursor.noticed_at, cursor.is_gone = None, False
            return False
        size, now = cursor.generation.size_bytes, time.monotonic()
        if cursor.noticed_at is None or cursor.noticed_bytes != size:
            cursor.noticed_at, cursor.noticed_bytes = now, size
        if present is None:
            if not cursor.is_gone:
                cursor.is_gone = True
                self._note("REMOVED", f"{self.name} is gone; what is still written to it is read")
            return False
        is_quiet = now - cursor.noticed_at >= _GRACE_SECONDS
        return is_quiet and (present.size_bytes > 0 or self._family.has_later(cursor.generation))

    def _go_on_from(self, cursor: _Cursor) -> _Cursor | None:
        """The cursor behind a file that is left, which stays open."""
        generation = cursor.generation
        offset = cursor.position.offset if cursor.position else 0
        following = None
        if not cursor.is_final and self._is_truncated(cursor):
            copy = self._family.find_copy(Place(cursor.mark, cursor.position or Position()))
            self._note("TRUNCATED", _truncation(self.name, offset=offset, is_copied=bool(copy)))
            if copy is not None:
                following = _Cursor(copy, cursor.position, cursor.mark, is_final=True)
            else:
                present = self._family.open_present()
                following = _begin(present) if present else None
        else:
            following = self._begin_first(partial(self._family.successor, generation))
            if not cursor.is_final:
                self._note("ROTATED", f"{self.name} was rotated after {offset:,} bytes, all read")
        return following


def _begin(generation: Generation) -> _Cursor:
    return _Cursor(generation, None, generation.mark(upto=0))


def _within_one_file(start: Place, end: Place) -> bool:
    same = (start.mark.device, start.mark.inode) == (end.mark.device, end.mark.inode)
    return same and start.position.offset <= end.position.offset


def _truncation(name: str, *, offset: int, is_copied: bool) -> str:
    known = f"{name} was cut to nothing after {offset:,} bytes were read; "
    if is_copied:
        return known + "what followed is read from its copy"
    return known + "what was written behind them before, if anything, was never seen"
