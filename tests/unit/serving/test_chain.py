"""The order of the policies, and what each one does to a call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import grpc
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from tickmesh.errors import PermissionDeniedError, UnavailableError
from tickmesh_serving.errors import ErrorTable
from tickmesh_serving.interceptors.chain import Chain, build_chain
from tickmesh_serving.interceptors.identity import OpenAuthenticator
from tickmesh_serving.lifecycle import Lifecycle
from tickmesh_serving.metrics import RpcMetrics
from tickmesh_serving.permissions import PermissionTable, everyone
from tickmesh_serving.rpc_call import MAX_LINKED_TRACES, RpcCall
from tickmesh_serving.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_serving.permissions import Grants

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class StoppedClock:
    def now_ns(self) -> int:
        return 1_000_000_000_000

    def monotonic_ns(self) -> int:
        return 500_000_000


class CountingIds:
    def __init__(self) -> None:
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"id-{self._count}"


def make_chain(
    *,
    registry: CollectorRegistry | None = None,
    grants: Grants = everyone,
    tracing: Tracing | None = None,
    serving: bool = True,
) -> Chain:
    lifecycle = Lifecycle()
    if serving:
        lifecycle.serve()
    return build_chain(
        lifecycle=lifecycle,
        errors=ErrorTable({LookupError: grpc.StatusCode.NOT_FOUND}, ids=CountingIds()),
        permissions=PermissionTable({"/s.S/Get": "thing.read"}, grants=grants),
        authenticator=OpenAuthenticator(),
        metrics=RpcMetrics(registry or CollectorRegistry()),
        tracing=tracing or Tracing(),
        clock=StoppedClock(),
        ids=CountingIds(),
        unary_deadline_seconds=30.0,
    )


def make_call(
    *,
    method: str = "/s.S/Get",
    metadata: Mapping[str, str] | None = None,
    streaming: bool = False,
    remaining_seconds: float | None = None,
    peer_identities: Sequence[str] = (),
    exempt: bool = False,
) -> RpcCall:
    return RpcCall(
        transport="grpc",
        method=method,
        streaming=streaming,
        exempt=exempt,
        metadata=metadata or {},
        peer="ipv4:127.0.0.1:1",
        peer_identities=peer_identities,
        remaining_seconds=remaining_seconds,
        started_ns=0,
    )


def test_order_of_the_chain() -> None:
    assert [interceptor.name for interceptor in make_chain().interceptors] == [
        "request_id",
        "tracing",
        "metrics",
        "logging",
        "deadline",
        "identity",
        "errors",
    ]


def test_policies_begin_outermost_first_and_end_innermost_first_even_when_one_refuses() -> None:
    heard: list[str] = []

    class Named:
        def __init__(self, name: str, *, refuses: bool = False) -> None:
            self.name = name
            self._refuses = refuses

        def begin(self, call: RpcCall) -> None:
            heard.append(f"begin {self.name}")
            if self._refuses:
                raise ValueError(self.name)

        def end(self, call: RpcCall) -> None:
            heard.append(f"end {self.name}")

    chain = Chain([Named("outer"), Named("middle", refuses=True), Named("inner")], Lifecycle())
    call = make_call()
    with pytest.raises(ValueError, match="middle"):
        chain.begin(call)
    chain.end(call)
    assert heard == ["begin outer", "begin middle", "end inner", "end middle", "end outer"]


def test_outer_policies_see_the_status_that_the_caller_gets() -> None:
    registry = CollectorRegistry()
    chain = make_chain(registry=registry)
    call = make_call()
    chain.begin(call)
    status = chain.fail(call, LookupError("no such thing"))
    chain.end(call)
    assert status.message == "no such thing"
    labels = {"transport": "grpc", "method": "/s.S/Get", "code": "NOT_FOUND"}
    assert registry.get_sample_value("tickmesh_rpc_calls_total", labels) == 1
    del labels["code"]
    assert registry.get_sample_value("tickmesh_rpc_running", labels) == 0
    assert registry.get_sample_value("tickmesh_rpc_duration_seconds_sum", labels) == 0.5


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"x-request-id": "client-7"}, "client-7"),
        ({}, "id-1"),
        ({"x-request-id": 'bad"\n{log injection}'}, "id-1"),
    ],
)
def test_call_keeps_a_fit_name_and_gets_one_otherwise(given: Mapping[str, str], named: str) -> None:
    assert make_chain().begin(make_call(metadata=given)).request_id == named


@pytest.mark.parametrize(
    ("streaming", "remaining", "deadline_ns", "limit"),
    [
        (False, None, 1_030_000_000_000, 30.0),
        (False, 2.0, 1_002_000_000_000, None),
        (True, None, None, None),
        (True, 5.0, 1_005_000_000_000, None),
    ],
)
def test_unary_calls_get_the_servers_deadline_and_streams_none(
    streaming: bool, remaining: float | None, deadline_ns: int | None, limit: float | None
) -> None:
    call = make_call(streaming=streaming, remaining_seconds=remaining)
    assert make_chain().begin(call).deadline_ns == deadline_ns
    assert call.limit_seconds == limit


def test_certificate_names_the_principal_and_on_behalf_of_is_only_a_note() -> None:
    call = make_call(metadata={"x-on-behalf-of": "bob"}, peer_identities=["spiffe://mesh/cleaner"])
    principal = make_chain().begin(call).principal
    assert (principal.name, principal.authentication) == ("spiffe://mesh/cleaner", "certificate")
    assert principal.on_behalf_of == "bob"
    assert make_chain().begin(make_call()).principal.name == "anonymous"


def test_principal_without_the_permission_is_refused_by_name() -> None:
    chain = make_chain(grants=lambda principal, permission: permission != "thing.read")
    with pytest.raises(PermissionDeniedError) as caught:
        chain.begin(make_call())
    assert caught.value.metadata["permission"] == "thing.read"


def test_method_without_an_entry_is_not_served() -> None:
    chain = make_chain()
    call = make_call(method="/s.S/Forgotten")
    with pytest.raises(Exception, match="no such call") as caught:
        chain.begin(call)
    chain.fail(call, caught.value)
    chain.end(call)
    assert call.code == "UNIMPLEMENTED"


def test_before_it_serves_a_server_refuses_calls_but_answers_health() -> None:
    chain = make_chain(serving=False)
    with pytest.raises(UnavailableError) as caught:
        chain.begin(make_call())
    assert caught.value.reason == "STARTING"
    assert caught.value.retry_after_seconds is not None
    chain.begin(make_call(exempt=True))


def test_draining_server_refuses_new_calls_and_tells_the_running_ones() -> None:
    chain = make_chain()
    running = chain.begin(make_call())
    told_before = running.draining
    chain.lifecycle.begin_drain()
    assert (told_before, running.draining) == (False, True)
    with pytest.raises(UnavailableError) as caught:
        chain.begin(make_call())
    assert caught.value.reason == "DRAINING"


def test_trace_continues_the_callers_and_passes_through_when_tracing_is_off() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    chain = make_chain(tracing=Tracing(provider))
    call = make_call(metadata={"traceparent": PARENT})
    seen = chain.begin(call)
    chain.end(call)
    (span,) = exporter.get_finished_spans()
    assert span.name == "/s.S/Get"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert span.context is not None
    assert seen.traceparent is not None
    assert seen.traceparent == f"00-{PARENT[3:35]}-{span.context.span_id:016x}-01"

    off = make_chain().begin(make_call(metadata={"traceparent": PARENT}))
    assert off.traceparent == PARENT
    assert make_chain().begin(make_call(metadata={"traceparent": "junk"})).traceparent is None


def test_traces_of_a_streams_parts_are_linked_once_each_bounded_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    chain = make_chain(tracing=Tracing(provider))
    call = make_call(metadata={"x-on-behalf-of": "alice"}, streaming=True)
    chain.begin(call)
    for traceparent in (PARENT, PARENT, "junk"):
        call.link_trace(traceparent, {"tickmesh.sequence": "1"})
    caplog.set_level(logging.DEBUG, "tickmesh.rpc")
    with structlog.testing.capture_logs() as logged:
        chain.end(call)
    (span,) = exporter.get_finished_spans()
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (
        PARENT[3:35],
        PARENT[36:52],
    )
    (line,) = logged
    assert (line["linked_traces"], line["on_behalf_of"]) == ([PARENT], "alice")

    for number in range(1, 2 * MAX_LINKED_TRACES):
        call.link_trace(f"00-{number:032x}-{number:016x}-01", {})
    assert len(call.linked_traces) == MAX_LINKED_TRACES
