"""The registry's rules on values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_registry.domain.bounds import require_page_size, require_subject
from tickmesh_registry.domain.compatibility import (
    DEFAULTS,
    Mode,
    Policy,
    Settings,
    SettingsOverride,
    UndecidedPolicy,
    Verdict,
    every_version,
)
from tickmesh_registry.domain.errors import InvalidArgumentError
from tickmesh_registry.domain.tokens import WatchToken
from tickmesh_registry.domain.versions import (
    VersionState,
    VersionTimes,
    latest_version,
    version_in_force,
)
from tickmesh_registry.refusal import bounded_report

TIMES = st.lists(
    st.tuples(st.sampled_from(VersionState), st.integers(0, 20), st.integers(0, 20)), max_size=8
).map(lambda rows: [VersionTimes(i, *row) for i, row in enumerate(rows, start=1)])


@given(versions=TIMES, at_ns=st.integers(0, 20), known_at_ns=st.integers(0, 20))
def test_in_force_is_the_greatest_effective_time_and_version_known_by_then(
    versions: list[VersionTimes], at_ns: int, known_at_ns: int
) -> None:
    chosen = version_in_force(versions, at_ns=at_ns, known_at_ns=known_at_ns)
    candidates = [
        v
        for v in versions
        if v.state.is_live and v.registered_at_ns <= known_at_ns and v.effective_from_ns <= at_ns
    ]
    if not candidates:
        assert chosen == 0
        return
    (found,) = [v for v in candidates if v.version == chosen]
    for other in candidates:
        assert (other.effective_from_ns, other.version) <= (found.effective_from_ns, chosen)


@given(versions=TIMES)
def test_latest_is_the_highest_not_deleted(versions: list[VersionTimes]) -> None:
    alive = [v.version for v in versions if v.state.is_live]
    assert latest_version(versions) == (alive[-1] if alive else 0)


@given(epoch=st.text(max_size=40), revision=st.integers(0, 2**63 - 1))
def test_a_watch_token_reads_back(epoch: str, revision: int) -> None:
    token = WatchToken(epoch, revision)
    assert WatchToken.decode(token.encode()) == token


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused_as_a_token(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        WatchToken.decode(text)


@pytest.mark.parametrize("name", ["a", "ticks.trades", "A-1_b/c", "x" * 255])
def test_subject_names_that_can_be(name: str) -> None:
    assert require_subject(name) == name


@pytest.mark.parametrize("name", ["", " ", "a b", "é", "a\n", "x" * 256, "a:b"])
def test_subject_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        require_subject(name)
    assert caught.value.violations[0][0] == "subject"


def test_page_sizes_have_a_default_and_a_bound() -> None:
    assert [require_page_size(size) for size in (0, 7, 5_000)] == [100, 7, 1_000]
    with pytest.raises(InvalidArgumentError):
        require_page_size(-1)


@pytest.mark.parametrize(
    ("settings", "verdict", "admitted"),
    [
        (DEFAULTS, Verdict.COMPATIBLE, True),
        (DEFAULTS, Verdict.INCOMPATIBLE, False),
        (DEFAULTS, Verdict.UNDECIDED, False),
        (Settings(undecided=UndecidedPolicy.WARN), Verdict.UNDECIDED, True),
        (Settings(undecided=UndecidedPolicy.WARN), Verdict.INCOMPATIBLE, False),
        (Settings(mode=Mode.NONE), Verdict.INCOMPATIBLE, True),
    ],
)
def test_what_the_settings_admit(settings: Settings, verdict: Verdict, *, admitted: bool) -> None:
    assert settings.admits(verdict) is admitted


def test_settings_inherit_what_they_do_not_set() -> None:
    override = SettingsOverride(policy=Policy.CONTAINMENT)
    assert override.over(Settings(mode=Mode.FULL)) == Settings(Mode.FULL, Policy.CONTAINMENT)


@pytest.mark.parametrize("mode", Mode)
def test_every_version_asks_the_same_directions(mode: Mode) -> None:
    assert every_version(mode).directions == mode.directions
    assert mode is Mode.NONE or every_version(mode).transitive


def test_a_report_too_long_keeps_its_verdicts_and_newest_refutations() -> None:
    def change(verdict: str) -> dict[str, str]:
        return {"verdict": verdict, "message": "x" * 1_000}

    content = {
        "verdict": "incompatible",
        "comparisons": [
            {
                "version": version,
                "verdict": "incompatible",
                "changes": [change("compatible"), change("incompatible")],
            }
            for version in range(1_000, 0, -1)
        ],
    }
    bounded = bounded_report(content)
    kept = [c["version"] for c in bounded["comparisons"] if c["changes"]]
    assert len(bounded["comparisons"]) == 1_000
    assert kept == list(range(1_000, 1_000 - len(kept), -1))
    assert 400 < len(kept) < 600
    small = {"comparisons": content["comparisons"][:2]}
    assert bounded_report(small) is small
