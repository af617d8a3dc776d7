"""What can go wrong in a tick store, in the words a producer or reader can act on.

Every error carries a `reason` (the name clients switch on), a one-sentence `message` (what was
expected, what came, how to mend it) and `metadata` with every changing value of the message.
Messages hold no path, no SQL and no traceback: they are sent to clients as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DatasetAlreadyExistsError",
    "DatasetDamagedError",
    "DatasetHeldError",
    "DatasetNotFoundError",
    "DiskFullError",
    "FutureRevisionError",
    "GenerationNotReadableError",
    "InvalidArgumentError",
    "LimitExceededError",
    "NoEventTimeError",
    "NoPriceError",
    "NoSizeError",
    "NoSymbolError",
    "PositionExpiredError",
    "ProducerFencedError",
    "ProducerNotOpenError",
    "QueryInvalidError",
    "QueryTimeoutError",
    "RowsRefusedError",
    "SchemaVersionNotFoundError",
    "SequenceGapError",
    "SnapshotExistsError",
    "SnapshotGoneError",
    "SnapshotNotFoundError",
    "StoreClosedError",
    "StoreFailedError",
    "TickStoreError",
    "UploadIncompleteError",
    "VersionNotReadableError",
    "WrongColumnsError",
]


class TickStoreError(Exception):
    """The root of everything the tick store refuses or fails at.

    Attributes:
        reason: Stable upper-case name of the kind of error, as in the contract's `ErrorReason`.
        message: One sentence for a person.
        metadata: Every dynamic value of the message, as text, by lower camel case name.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})

    def twin(self) -> Self:
        """The same error as an object of its own: one failure may end many streams."""
        kind = type(self)
        twin = kind.__new__(kind, *self.args)
        twin.__dict__.update(self.__dict__)
        twin.__cause__ = self.__cause__
        return twin

    def knowing(self, **metadata: str) -> Self:
        """The same error with what only the caller knows, such as the rows a stream has stored."""
        twin = self.twin()
        twin.metadata = {**self.metadata, **metadata}
        return twin


class InvalidArgumentError(TickStoreError):
    """A request that can never be answered as it stands."""

    reason = "INVALID_ARGUMENT"


class DatasetNotFoundError(TickStoreError):
    """No dataset of that name."""

    reason = "DATASET_NOT_FOUND"


class DatasetAlreadyExistsError(TickStoreError):
    """A dataset of that name exists already."""

    reason = "DATASET_ALREADY_EXISTS"


class SchemaVersionNotFoundError(TickStoreError):
    """Rows named a schema version which the dataset was never told of."""

    reason = "VERSION_NOT_FOUND"


class WrongColumnsError(TickStoreError):
    """The columns of a batch are not those of the schema version it names."""

    reason = "WRONG_COLUMNS"


class RowsRefusedError(TickStoreError):
    """The judge refused a message; none of its rows was stored (T1).

    Attributes:
        refusal: What the judge returned, untouched.
    """

    reason = "ROWS_REFUSED"

    def __init__(self, refusal: object) -> None:
        super().__init__("rows were refused")
        self.refusal = refusal

    def __str__(self) -> str:
        # Asked for late: telling why may cost more than judging did.
        return (
            f"rows were refused: {self.refusal}; none of this message is stored: "
            "mend the rows and send it again"
        )


class SequenceGapError(TickStoreError):
    """A producer skipped a sequence: something it sent earlier never arrived (T4)."""

    reason = "SEQUENCE_GAP"

    def __init__(self, *, producer_id: str, expected: int, got: int) -> None:
        super().__init__(
            f"producer {producer_id!r} sent sequence {got}, expected {expected}: "
            f"send again from {expected}",
            metadata={"producerId": producer_id, "expected": str(expected), "got": str(got)},
        )


class ProducerFencedError(TickStoreError):
    """A newer epoch of the same producer was opened; this one must stop (T4)."""

    reason = "PRODUCER_FENCED"

    def __init__(self, *, producer_id: str, epoch: int, current_epoch: int) -> None:
        super().__init__(
            f"producer {producer_id!r} epoch {epoch} is fenced: epoch {current_epoch} is open; "
            "stop this writer or open the producer again",
            metadata={
                "producerId": producer_id,
                "epoch": str(epoch),
                "currentEpoch": str(current_epoch),
            },
        )


class ProducerNotOpenError(TickStoreError):
    """A sequence came from a producer, or an epoch, which was never opened."""

    reason = "PRODUCER_UNKNOWN"

    def __init__(self, *, producer_id: str, epoch: int) -> None:
        super().__init__(
            f"producer {producer_id!r} epoch {epoch} is not open here: open the producer first",
            metadata={"producerId": producer_id, "epoch": str(epoch)},
        )


class StoreFailedError(TickStoreError):
    """Stable storage failed; the dataset takes no more writes until the store is restarted."""

    reason = "STORE_FAILED"


class DatasetDamagedError(TickStoreError):
    """Acknowledged rows are damaged or missing on disk; nothing is dropped by itself."""

    reason = "DATASET_DAMAGED"


class StoreClosedError(TickStoreError):
    """The store is shutting down."""

    reason = "DRAINING"


class DiskFullError(TickStoreError):
    """No space left. Nothing acknowledged is lost; writes go on when there is space again."""

    reason = "DISK_FULL"


class SnapshotGoneError(TickStoreError):
    """A range, or rows that a revision shows, are no longer there."""

    reason = "REVISION_OUT_OF_RANGE"


class PositionExpiredError(TickStoreError):
    """Rows behind a position were dropped by retention (T8: told, never silently skipped)."""

    reason = "POSITION_EXPIRED"


class SnapshotNotFoundError(TickStoreError):
    """No named snapshot of that name, or it does not hold the dataset."""

    reason = "SNAPSHOT_NOT_FOUND"


class SnapshotExistsError(TickStoreError):
    """A named snapshot of that name exists already."""

    reason = "SNAPSHOT_EXISTS"


class DatasetHeldError(TickStoreError):
    """Named snapshots hold a dataset, so it cannot be deleted."""

    reason = "DATASET_HELD"


class FutureRevisionError(TickStoreError):
    """A read asked for a dataset revision that does not exist yet."""

    reason = "REVISION_OUT_OF_RANGE"


class UploadIncompleteError(TickStoreError):
    """An atomic upload's final marker does not agree with what arrived; nothing is stored (T3)."""

    reason = "UPLOAD_INCOMPLETE"


class LimitExceededError(TickStoreError):
    """A bound of the store would be passed (T11)."""

    reason = "LIMIT_EXCEEDED"


class NoEventTimeError(TickStoreError):
    """A time range or time order was asked of a dataset without an event time."""

    reason = "ROLE_MISSING"


class QueryInvalidError(TickStoreError):
    """A statement of SQL is malformed, names what there is not, or does more than read."""

    reason = "QUERY_INVALID"


class QueryTimeoutError(TickStoreError):
    """A statement of SQL took longer than it may."""

    reason = "DEADLINE_EXCEEDED"


class NoPriceError(TickStoreError):
    """Bars were asked of rows without a price."""

    reason = "ROLE_MISSING"


class NoSizeError(TickStoreError):
    """Bars by volume were asked of rows without a size."""

    reason = "ROLE_MISSING"


class NoSymbolError(TickStoreError):
    """Symbols were asked of a dataset without a symbol column."""

    reason = "ROLE_MISSING"


class VersionNotReadableError(TickStoreError):
    """Rows of one schema version cannot be read as asked under another without loss (T9)."""

    reason = "VERSION_NOT_READABLE"


class GenerationNotReadableError(VersionNotReadableError):
    """Rows of other generations cannot be read under the version asked for (T9)."""

    reason = "GENERATION_NOT_READABLE"
