"""Timelines agree, at every instant, with the version in force there."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tickmesh_registry.domain.timeline import Knowledge, Span, timeline
from tickmesh_registry.domain.versions import VersionState, VersionTimes, version_in_force

_INSTANTS = st.integers(0, 12)


@st.composite
def histories(draw: st.DrawFn) -> list[VersionTimes]:
    registered = sorted(draw(st.lists(_INSTANTS, max_size=8)))
    return [
        VersionTimes(
            version=number,
            state=draw(
                st.sampled_from(
                    [VersionState.ACTIVE, VersionState.DEPRECATED, VersionState.DELETED]
                )
            ),
            registered_at_ns=at,
            effective_from_ns=draw(_INSTANTS),
        )
        for number, at in enumerate(registered, start=1)
    ]


@given(
    histories(),
    st.sampled_from(Knowledge),
    _INSTANTS,
    st.none() | _INSTANTS,
    st.none() | _INSTANTS,
    st.randoms(use_true_random=False),
)
def test_at_every_instant_the_span_holds_the_version_in_force(
    versions: list[VersionTimes],
    knowledge: Knowledge,
    known_at: int,
    start: int | None,
    end: int | None,
    random: object,
) -> None:
    shuffled = list(versions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    spans = timeline(
        shuffled, start_ns=start, end_ns=end, knowledge=knowledge, known_at_ns=known_at
    )
    for instant in range(-2, 16):
        known = {
            Knowledge.NOW: 1_000,
            Knowledge.AT_INSTANT: known_at,
            Knowledge.AT_EACH_INSTANT: instant,
        }[knowledge]
        inside = (start is None or instant >= start) and (end is None or instant < end)
        expected = version_in_force(versions, at_ns=instant, known_at_ns=known) if inside else 0
        covering = [
            span.version
            for span in spans
            if span.start_ns <= instant and (span.end_ns is None or instant < span.end_ns)
        ]
        assert covering == ([expected] if expected else [])
    for earlier, later in itertools.pairwise(spans):
        assert earlier.end_ns is not None
        assert earlier.end_ns <= later.start_ns
        assert earlier.version != later.version or earlier.end_ns < later.start_ns


def test_a_backdated_version_is_known_only_from_its_registration_on() -> None:
    """A backtest that knows no future does not see what was imported later."""
    first = VersionTimes(1, VersionState.ACTIVE, registered_at_ns=10, effective_from_ns=10)
    imported = VersionTimes(2, VersionState.ACTIVE, registered_at_ns=50, effective_from_ns=20)
    both = [first, imported]
    assert timeline(both) == [Span(1, 10, 20), Span(2, 20, None)]
    assert timeline(both, knowledge=Knowledge.AT_EACH_INSTANT) == [
        Span(1, 10, 50),
        Span(2, 50, None),
    ]
    assert timeline(both, knowledge=Knowledge.AT_INSTANT, known_at_ns=49) == [Span(1, 10, None)]
