"""The circuit breaker in front of what may be away."""

from __future__ import annotations

from tickmesh_registry.breaker import CircuitBreaker


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ns(self) -> int:
        return self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return int(self.seconds * 1e9)


def test_three_failures_in_a_row_open_it_and_one_success_closes_it() -> None:
    breaker = CircuitBreaker(SetClock())
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
        assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    breaker.succeeded()
    assert breaker.admits()


def test_an_open_one_lets_one_call_try_at_the_end_of_each_longer_pause() -> None:
    clock = SetClock()
    breaker = CircuitBreaker(clock)
    for _ in range(3):
        breaker.failed()
    tries = []
    while clock.seconds < 60:
        if breaker.admits():
            tries.append(clock.seconds)
            assert not breaker.admits()
            breaker.failed()
        clock.seconds += 0.5
    pauses = [later - earlier for earlier, later in zip([0.0, *tries], tries, strict=False)]
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert set(pauses[5:]) == {10.0}
