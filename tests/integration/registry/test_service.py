"""The registry's RPCs, through gRPC, in a real process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tests.support.registry_schemas import TRADES
from tickmesh.api.registry.v1 import (
    compatibility_pb2,
    schema_pb2,
)
from tickmesh.api.registry.v1 import (
    schema_registry_service_pb2 as pb,
)

if TYPE_CHECKING:
    from tests.support.registry_process import Stub


async def test_a_schema_is_registered_read_back_and_projected(stub: Stub) -> None:
    answer = await stub.RegisterSchema(
        pb.RegisterSchemaRequest(subject="ticks.trades", text=TRADES, labels={"team": "eq"})
    )
    assert (answer.schema.version, answer.schema.schema_id, answer.revision) == (1, 1, 1)
    assert answer.schema.action == schema_pb2.ACTION_FIRST
    assert answer.report.verdict == compatibility_pb2.VERDICT_COMPATIBLE
    got = await stub.GetSchema(
        pb.GetSchemaRequest(subject=pb.SubjectSelector(subject="ticks.trades"))
    )
    assert got.schema == answer.schema
    assert got.revision == 1
    assert got.schema.text == TRADES
    arrow = pa.ipc.read_schema(pa.py_buffer(got.schema.arrow_schema))
    assert arrow.names == ["ts", "symbol", "price"]
    assert arrow.metadata == {b"tickmesh.subject": b"ticks.trades", b"tickmesh.version": b"1"}
    for selector in (
        pb.GetSchemaRequest(schema_id=1),
        pb.GetSchemaRequest(fingerprint=answer.schema.fingerprint),
        pb.GetSchemaRequest(subject=pb.SubjectSelector(subject="ticks.trades", version=1)),
        pb.GetSchemaRequest(
            subject=pb.SubjectSelector(subject="ticks.trades", latest=pb.LatestSelector())
        ),
    ):
        assert (await stub.GetSchema(selector)).schema == answer.schema
