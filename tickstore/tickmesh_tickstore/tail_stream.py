"""A live tail for plain clients: an ordinary `do_get` whose rows go on as they are committed (T8).

What a plain client cannot do decides its form. It sees no metadata, so the last row of each batch
carries the position behind it in a column. A `GeneratorStream` breaks on dictionary columns, so
they come decoded. Nobody grants credits: a reader that does not read is held by HTTP/2's window.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.errors import VersionNotReadableError
from tickmesh_tickstore.domain.requests import POSITION_COLUMN
from tickmesh_tickstore.errors import DrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow import flight

    from tickmesh.api.tickstore.v1 import commands_pb2
    from tickmesh_serving.flight import FlightCall
    from tickmesh_tickstore.application import TickStore
    from tickmesh_tickstore.engine.interface import Followed, Follower

_HEARTBEAT_SECONDS = 1.0
_POLL_SECONDS = 0.25


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a plain tail of rows of a schema: decoded, and their position behind them."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    fields.append(pa.field(POSITION_COLUMN, pa.string()))
    return pa.schema(fields).with_metadata(schema.metadata)


def stream_tail(
    store: TickStore, call: FlightCall, command: commands_pb2.ReadCommand
) -> flight.FlightDataStream:
    """Sends what follows a position until the reader leaves; an empty batch where nothing comes.

    Raises:
        DrainingError: in mid-stream: the server is going down; says where to resume.
        VersionNotReadableError: in mid-stream: rows came that cannot be read under the version of
            the tail; says where to go on under another one.
    """
    follower = store.follow(call, command)
    schema = plain_schema(follower.schema)
    token = store.position_token(command.dataset, follower.position)
    batches = _batches(call, follower, schema, prefix=token.rpartition(":")[0])
    return call.generator_stream(schema, batches)


def _batches(
    call: FlightCall, follower: Follower, schema: pa.Schema, *, prefix: str
) -> Iterator[pa.RecordBatch]:
    nothing = schema.empty_table().to_batches()
    empty = nothing[0] if nothing else pa.RecordBatch.from_pylist([], schema)
    next_heartbeat = time.monotonic()
    try:
        while not call.cancelled:
            if call.draining:
                raise DrainingError(
                    "The store is going down; resume after the position in a moment.",
                    metadata={"positionToken": f"{prefix}:{follower.position.token()}"},
                    retry_after_seconds=1.0,
                )
            try:
                followed = follower.wait(_POLL_SECONDS)
            except VersionNotReadableError as error:
                raise error.knowing(positionToken=f"{prefix}:{follower.position.token()}") from None
            if followed is not None:
                yield _plain(followed, schema, prefix=prefix)
            elif time.monotonic() >= next_heartbeat:
                # Flight tells that a reader has left only to who writes.
                yield empty
            else:
                continue
            next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
    finally:
        follower.close()


def _plain(followed: Followed, schema: pa.Schema, *, prefix: str) -> pa.RecordBatch:
    batch = followed.batch
    columns: list[pa.Array[Any]] = [
        column.cast(field.type) for column, field in zip(batch.columns, schema, strict=False)
    ]
    # Only the last row is a place to resume at: one in the middle would lose those behind it.
    before = pa.nulls(batch.num_rows - 1, pa.string())
    position = pa.array([f"{prefix}:{followed.position.token()}"], pa.string())
    columns.append(pa.concat_arrays([before, position]))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
