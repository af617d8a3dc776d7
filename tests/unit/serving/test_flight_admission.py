"""A call is either among those that a server which goes down waits for, or it is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow import flight

from tickmesh._wire.status import error_from_flight
from tickmesh_serving.flight_admission import Admission
from tickmesh_serving.lifecycle import Lifecycle

PUT: Any = SimpleNamespace(method=flight.FlightMethod.DO_PUT)


class GoesDownBehindACall(Lifecycle):
    """Lets a call in, and is told to go down before the call has its place."""

    def admit(self) -> None:
        super().admit()
        self.begin_drain()


def admission(lifecycle: Lifecycle, *, max_streams: int = 1) -> Admission:
    lifecycle.serve()
    chain: Any = SimpleNamespace(lifecycle=lifecycle)
    return Admission(chain, max_streams=max_streams)


def test_a_call_that_met_the_drain_is_refused_and_not_waited_for() -> None:
    let_in = admission(GoesDownBehindACall())
    with pytest.raises(flight.FlightUnavailableError) as caught:
        let_in.start_call(PUT, {})
    assert error_from_flight(caught.value).reason == "DRAINING"
    let_in.wait_until_settled()


def test_a_refused_call_gives_its_place_back() -> None:
    lifecycle = GoesDownBehindACall()
    let_in = admission(lifecycle)
    for _ in range(3):
        lifecycle.serve()
        with pytest.raises(flight.FlightUnavailableError) as caught:
            let_in.start_call(PUT, {})
        assert error_from_flight(caught.value).reason == "DRAINING"


def test_a_call_in_its_place_is_waited_for() -> None:
    let_in = admission(Lifecycle())
    call = let_in.start_call(PUT, {})
    with pytest.raises(flight.FlightUnavailableError) as caught:
        let_in.start_call(PUT, {})
    assert error_from_flight(caught.value).reason == "TOO_MANY_STREAMS"
    call.call_completed(None)
    let_in.wait_until_settled()
