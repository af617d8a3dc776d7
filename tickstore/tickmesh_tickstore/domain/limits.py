"""Every bound of the storage engine in one place (T11)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EngineLimits"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Bounds of one engine. Sizes are bytes of Arrow buffers unless said otherwise.

    Attributes:
        message_bytes: One appended batch.
        group_rows: Rows that share one sync; a larger single batch is a group by itself.
        group_bytes: The same in bytes.
        overlapped_bytes: With so much waiting the next group is judged while one is synced; less
            gathers meanwhile, since small groups cost more than they gain.
        gathered_messages: While a stream pours in small messages, a group waits for so many.
        gathering_seconds: It waits no longer than this, and no longer than messages pour in.
            Otherwise a group takes what there is: the sync before it is time enough.
        waiting_bytes: Appends waiting for a dataset's writer; beyond it `append` blocks.
        log_bytes: A write-ahead log file is rotated, and its rows sealed, beyond this size.
        unsealed_logs: Rotated logs of one dataset that wait for sealing; beyond it appends wait.
        staged_bytes: All atomic uploads that are not committed yet.
        staged_bytes_per_principal: Those of one principal among them.
        producers: Producers one dataset remembers.
        open_segments: Segments kept memory-mapped.
        decoded_log_bytes: Logs read back at start of which decoded rows are kept for a while.
        served_bytes: One batch handed to a reader.
        read_ahead_bytes: Rows of one read that are decoded together, about; a group of rows in
            Parquet may be larger.
        materialised_rows: Rows a read may hold at once where it cannot stream (time order).
        settled_rows: Rows of a full settled segment, about.
        settled_bytes: Rows of a settled segment take so many bytes in memory at most; settling
            holds up to three times as many.
        settle_after_seconds: Sealed rows are settled after so long: not while rows pour in.
        writer_idle_seconds: A dataset's writer thread ends after so long without work.
    """

    message_bytes: int = 64 * _MIB
    group_rows: int = 262_144
    group_bytes: int = 32 * _MIB
    overlapped_bytes: int = 1 * _MIB
    gathered_messages: int = 512
    gathering_seconds: float = 0.005
    waiting_bytes: int = 64 * _MIB
    log_bytes: int = 64 * _MIB
    unsealed_logs: int = 2
    staged_bytes: int = 4096 * _MIB
    staged_bytes_per_principal: int = 4096 * _MIB
    producers: int = 100_000
    open_segments: int = 512
    decoded_log_bytes: int = 64 * _MIB
    served_bytes: int = 4 * _MIB
    read_ahead_bytes: int = 8 * _MIB
    materialised_rows: int = 16_000_000
    settled_rows: int = 1 << 20
    settled_bytes: int = 64 * _MIB
    settle_after_seconds: float = 30.0
    writer_idle_seconds: float = 30.0
