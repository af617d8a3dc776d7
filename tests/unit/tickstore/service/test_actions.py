"""Flight actions and gRPC methods are one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.governed_ticks import MemorySchemas, trades_schema
from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh_tickstore.actions import HANDLERS, run_action
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore


def test_every_method_of_the_service_is_an_action() -> None:
    methods = wire.DESCRIPTOR.services_by_name["TickStoreService"].methods
    assert {method.name: method.input_type.full_name for method in methods} == {
        name: handler.request.DESCRIPTOR.full_name for name, handler in HANDLERS.items()
    }


def test_datasets_are_listed_page_by_page(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    names = [f"ticks.{letter}" for letter in "abcde"]
    for name in names:
        schemas.register(name, trades_schema())
        store.create_dataset(call, name)
    seen: list[str] = []
    request = wire.ListDatasetsRequest(page_size=2, prefix="ticks.")
    while True:
        body = run_action(store, call, "ListDatasets", request.SerializeToString())
        page = wire.ListDatasetsResponse.FromString(body)
        assert len(page.datasets) <= 2
        seen += [each.name for each in page.datasets]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == names


def test_opening_a_producer_twice_raises_its_epoch(store: TickStore, call: CallContext) -> None:
    body = wire.OpenProducerRequest(dataset="ticks.trades", producer_id="p").SerializeToString()
    epochs = [
        wire.OpenProducerResponse.FromString(
            run_action(store, call, "OpenProducer", body)
        ).producer.producer_epoch
        for _ in range(2)
    ]
    assert epochs[1] > epochs[0]


@pytest.mark.parametrize(
    ("action", "body"),
    [("Nothing", b""), ("GetDataset", b"\xff\xff"), ("OpenProducer", b"\x0a\x01t")],
)
def test_a_malformed_action_is_refused(
    store: TickStore, call: CallContext, action: str, body: bytes
) -> None:
    with pytest.raises(InvalidRequestError):
        run_action(store, call, action, body)
