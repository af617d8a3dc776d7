"""Histories made up by hand, to see that validators object to what they should."""

from __future__ import annotations

from dataclasses import replace

from tests.chaos.change_log import ChangeLog, LoggedChange, StoreState
from tests.chaos.evidence import Evidence
from tests.chaos.history import (
    History,
    SeenEvent,
    StoreSeen,
    WatchEnded,
    WatchOpened,
    WatchResponded,
    Write,
)
from tests.chaos.selection import Selection
from tests.chaos.validators import judge

EPOCH = "epoch"
SECOND_NS = 1_000_000_000
COMMIT_NS = 10 * SECOND_NS
"""Every revision of the log is committed about then."""


def change(revision: int, *, sequence: int = 0, subject: str = "s") -> LoggedChange:
    """A registration."""
    return LoggedChange(
        revision=revision,
        sequence=sequence,
        kind="version_registered",
        subject=subject,
        version=revision,
        previous_version=revision - 1,
        action="compatible_change" if revision > 1 else "first",
        state="active",
        previous_state="active" if revision > 1 else "",
        labels={},
        digest=f"text {revision}.{sequence}",
    )


def seen(logged: LoggedChange) -> SeenEvent:
    """The event of a change, without the previous version."""
    return SeenEvent(
        revision=logged.revision,
        sequence=logged.sequence,
        kind=logged.kind,
        subject=logged.subject,
        version=logged.version,
        previous_version=0,
        state="active",
        transition="",
        digest=logged.digest,
    )


class MadeUp:
    """A log of one subject with a version a revision, and what one watcher saw of it.

    Args:
        revisions: How many.
        changes: Other changes than those.
        committed: How many of the revisions the store was seen to hold before the watcher came.
    """

    def __init__(
        self,
        revisions: int = 4,
        changes: tuple[LoggedChange, ...] = (),
        *,
        committed: int | None = None,
    ) -> None:
        self.history = History()
        self.log = ChangeLog()
        self.changes = changes or tuple(change(number) for number in range(1, revisions + 1))
        last = self.changes[-1].revision
        self.log.extend(StoreState(EPOCH, last, 0, self.changes))
        held = last if committed is None else committed
        self.history.add(StoreSeen(0, 1, EPOCH, 0, 0))
        self.history.add(StoreSeen(COMMIT_NS, COMMIT_NS, EPOCH, held, 0))
        self._at_ns = COMMIT_NS + SECOND_NS
        self._previous = 0

    def opened(
        self,
        start: str = "after_revision",
        revision: int = 0,
        *,
        epoch: str = "",
        selection: Selection | None = None,
        name: str = "watcher",
    ) -> MadeUp:
        """A watch is asked for."""
        self._previous = 0
        self.history.add(
            WatchOpened(
                stream=self.history.new_stream(),
                watcher=name,
                lane="r0/0",
                at_ns=self.tick(),
                start=start,
                revision=revision,
                epoch=epoch,
                selection=selection or Selection(),
                include_previous=False,
                progress_seconds=1.0,
                raw=True,
            )
        )
        return self

    def responded(
        self,
        kind: str,
        revision: int,
        *changes: LoggedChange,
        prev_revision: int | None = None,
        token_revision: int | None = None,
        token_epoch: str = EPOCH,
        fragment: bool = False,
        after_seconds: float = 0.01,
        **altered: str,
    ) -> MadeUp:
        """A response comes, sound but for what is given."""
        token = 0 if fragment else revision
        self.history.add(
            WatchResponded(
                stream=self.history.streams,
                at_ns=self.tick(after_seconds),
                kind=kind,
                revision=revision,
                prev_revision=self._previous if prev_revision is None else prev_revision,
                token_epoch="" if fragment else token_epoch,
                token_revision=token if token_revision is None else token_revision,
                fragment=fragment,
                compact_revision=0,
                events=tuple(replace(seen(each), **altered) for each in changes),  # type: ignore[arg-type] # all are strings
            )
        )
        self._previous = revision
        return self

    def events(self, *numbers: int) -> MadeUp:
        """The events of some revisions come, each in its response."""
        for number in numbers:
            self.responded("events", number, *self.log.between(number - 1, number))
        return self

    def ended(self, code: str, reason: str = "", **metadata: str) -> MadeUp:
        """The server ends the stream."""
        self.history.add(
            WatchEnded(self.history.streams, self.tick(), "server", code, reason, metadata)
        )
        return self

    def wrote(self, unique: str, *, revision: int, version: int, **others: object) -> MadeUp:
        """A registration is called and answered."""
        write = Write(
            writer="writer",
            unique=unique,
            kind="register",
            subject="s",
            group="",
            called_ns=self.tick(),
            returned_ns=self.tick(),
            outcome="ok",
            code="OK",
            reason="",
            revision=revision,
            version=version,
            already=False,
            changes=1,
            digest=f"text {revision}.0",
        )
        self.history.add(replace(write, **others))  # type: ignore[arg-type] # of its fields
        return self

    def tick(self, seconds: float = 0.01) -> int:
        """Let time pass; the instant after."""
        self._at_ns += round(seconds * SECOND_NS)
        return self._at_ns

    def found(self) -> set[str]:
        """The promises that the validators find broken."""
        return {violation.promise for violation in judge(Evidence(self.history, self.log))}
