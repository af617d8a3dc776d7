"""Every validator objects to a history that breaks its promise, and to no sound one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.chaos.history import (
    Converged,
    Drained,
    Fault,
    HarnessStalled,
    Hidden,
    History,
    MemoryUsed,
    Read,
    ReadingPaused,
    ReplicaStalled,
    StoreSeen,
    load,
)
from tests.chaos.made_up import COMMIT_NS, SECOND_NS, MadeUp, change
from tests.chaos.selection import Selection

if TYPE_CHECKING:
    from pathlib import Path

BULK = (change(1), replace(change(2, sequence=0), subject="t", version=1), change(2, sequence=1))


def sound() -> MadeUp:
    """A stream that is opened, follows four revisions and is drained."""
    return MadeUp().opened().responded("progress", 0).events(1, 2, 3, 4).responded("progress", 4)


def test_a_sound_history_breaks_nothing() -> None:
    assert sound().found() == set()


def test_a_snapshot_and_what_follows_it_break_nothing() -> None:
    made = MadeUp(committed=2)
    made.opened("snapshot").responded("snapshot_part", 2, change(1), change(2), fragment=True)
    made.responded("snapshot_end", 2).events(3, 4)
    assert made.found() == set()


def test_w7_a_snapshot_older_than_what_was_committed() -> None:
    made = MadeUp().opened("snapshot")
    made.responded("snapshot_part", 3, change(1), change(2), change(3), fragment=True)
    assert made.responded("snapshot_end", 3).events(4).found() == {"W7"}


def test_fragments_break_nothing() -> None:
    made = MadeUp(changes=BULK).opened().responded("events", 1, BULK[0])
    made.responded("events", 2, BULK[1], fragment=True).responded("events", 2, BULK[2])
    assert made.found() == set()


def test_w1_a_revision_that_decreases() -> None:
    assert "W1" in MadeUp().opened().events(1, 3, 2).found()


def test_w1_a_chain_that_does_not_hold() -> None:
    assert MadeUp().opened().events(1).responded(
        "events", 2, change(2), prev_revision=0
    ).found() == {"W1"}


def test_w1_events_of_a_revision_out_of_order() -> None:
    made = MadeUp(changes=BULK).opened().events(1)
    assert made.responded("events", 2, BULK[2], BULK[1]).found() == {"W1"}


def test_w2_an_event_that_comes_twice() -> None:
    assert "W2" in MadeUp().opened().events(1, 2, 2).found()


def test_w2_a_resume_that_begins_with_what_was_seen() -> None:
    assert MadeUp().opened(revision=2).events(2, 3).found() == {"W2"}


def test_w3_an_event_that_never_comes() -> None:
    assert "W3" in MadeUp().opened().events(1, 3).found()


def test_w3_an_event_that_was_not_asked_for() -> None:
    made = MadeUp().opened(selection=Selection(kinds=("policy_changed",)))
    assert made.events(1).found() == {"W3"}


def test_w3_an_event_that_says_another_version() -> None:
    assert MadeUp().opened().responded("events", 1, change(1), subject="other").found() - {
        "W10"
    } == {"W3"}


def test_w3_a_start_now_that_begins_before_what_was_committed() -> None:
    assert "W3" in MadeUp().opened("now").responded("progress", 2).found()


def test_w3_a_stream_that_lives_on_and_never_gets_to_the_head() -> None:
    made = MadeUp().opened().responded("progress", 0).events(1, 2, 3)
    for _ in range(6):
        made.responded("progress", 3, after_seconds=0.9)
    assert made.found() == {"W3"}
    made.history.add(Fault("hold", "r0/0", 0, 1 << 62))
    assert made.found() == set()


def test_w4_a_revision_in_two_responses_without_the_flag() -> None:
    made = MadeUp(changes=BULK).opened().events(1)
    assert made.responded("events", 2, BULK[1]).responded("events", 2, BULK[2]).found() == {"W4"}


def test_w4_two_revisions_in_one_response() -> None:
    assert MadeUp().opened().responded("events", 2, change(1), change(2)).found() == {"W4"}


def test_w4_a_mark_within_fragments() -> None:
    made = MadeUp(changes=BULK).opened().events(1)
    made.responded("events", 2, BULK[1], fragment=True).responded("progress", 2)
    assert "W4" in made.found()


def test_w5_a_place_that_the_store_kept_is_refused() -> None:
    made = MadeUp().opened(revision=2)
    made.ended(
        "OUT_OF_RANGE",
        "REVISION_COMPACTED",
        askedRevision="2",
        compactRevision="3",
        currentRevision="4",
    )
    made.history.add(StoreSeen(made.tick(), made.tick(), "epoch", 4, 0))
    assert made.found() == {"W5"}


def test_w5_a_watcher_that_does_not_converge() -> None:
    made = sound()
    made.history.add(Converged("watcher", 4, 3, 30.0))
    assert made.found() == {"W5"}


def test_w6_a_mark_before_its_events() -> None:
    assert "W6" in MadeUp().opened().events(1).responded("progress", 3).events(2, 3).found()


def test_w6_a_token_that_is_ahead_of_its_response() -> None:
    made = MadeUp().opened().responded("events", 1, change(1), token_revision=3)
    assert made.found() == {"W6"}


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param((change(1),), id="a gap"),
        pytest.param((change(1), change(2), change(2)), id="a duplicate"),
        pytest.param((change(1), change(2), change(3)), id="one too many"),
    ],
)
def test_w7_a_snapshot_that_is_not_the_log_at_its_revision(listed: tuple[object, ...]) -> None:
    made = MadeUp(committed=2).opened("snapshot")
    made.responded("snapshot_part", 2, *listed, fragment=True)  # type: ignore[arg-type] # changes
    assert "W7" in made.responded("snapshot_end", 2).found()


def test_w7_a_stream_that_leaves_a_gap_after_its_snapshot() -> None:
    made = MadeUp(committed=2).opened("snapshot")
    made.responded("snapshot_part", 2, change(1), change(2), fragment=True)
    assert "W7" in made.responded("snapshot_end", 2).events(4).found()


def test_w7_a_stream_that_repeats_its_snapshot() -> None:
    made = MadeUp(committed=2).opened("snapshot")
    made.responded("snapshot_part", 2, change(1), change(2), fragment=True)
    assert "W7" in made.responded("snapshot_end", 2).events(2).found()


def test_w8_a_start_in_the_future_is_served() -> None:
    assert "W8" in MadeUp().opened(revision=9).responded("progress", 9).found()


def test_w8_a_compacted_start_is_served() -> None:
    made = MadeUp()
    made.history.add(StoreSeen(COMMIT_NS, COMMIT_NS, "epoch", 4, 3))
    assert MadeUp.found(made.opened(revision=1).responded("progress", 1)) == {"W8"}


def test_w8_a_revision_the_store_had_is_called_future() -> None:
    made = MadeUp().opened(revision=4)
    made.ended(
        "OUT_OF_RANGE",
        "REVISION_IN_FUTURE",
        askedRevision="4",
        compactRevision="0",
        currentRevision="3",
    )
    assert made.found() == {"W5", "W8"}


def test_w8_a_refusal_without_the_revisions() -> None:
    made = MadeUp().opened(revision=9).ended("OUT_OF_RANGE", "REVISION_IN_FUTURE")
    assert made.found() == {"W8"}


def test_w9_a_token_of_another_store_is_taken() -> None:
    made = MadeUp().opened("after_token", 2, epoch="other").responded("progress", 2)
    assert made.found() == {"W9"}


def test_w9_a_token_of_this_store_is_refused() -> None:
    made = MadeUp().opened("after_token", 2, epoch="epoch")
    assert made.ended("FAILED_PRECONDITION", "EPOCH_CHANGED").found() == {"W9"}


def test_w9_a_response_carries_a_token_of_another_store() -> None:
    made = MadeUp().opened().responded("progress", 0).responded("events", 1, change(1))
    assert made.found() == set()
    assert made.responded("events", 2, change(2), token_epoch="x").found() == {"W9"}


def test_w10_an_event_that_the_log_does_not_hold() -> None:
    assert "W10" in MadeUp().opened().events(1, 2, 3, 4).responded("events", 5, change(5)).found()


def test_w10_a_change_that_was_in_the_log_and_is_gone() -> None:
    made = sound()
    made.log.vanished.append(change(5))
    assert made.found() == {"W10"}


def test_w11_an_answer_older_than_was_asked_for() -> None:
    made = MadeUp()
    made.history.add(Read("s", 3, made.tick(), made.tick(), "OK", 4, 4))
    assert made.found() == set()
    made.history.add(Read("s", 3, made.tick(), made.tick(), "OK", 2, 2))
    assert made.found() == {"W11"}


def test_w12_a_mark_that_no_filter_asked_for() -> None:
    made = MadeUp().opened().responded("events", 1, change(1), transition="entered")
    assert made.found() == {"W12"}


def test_w13_a_stuck_watcher_that_is_kept() -> None:
    made = MadeUp().opened(name="stuck-1").responded("progress", 0)
    made.history.add(ReadingPaused(1, made.tick(), made.tick(5)))
    made.events(1, 2, 3, 4)
    assert made.found() == {"W13"}
    assert made.ended("RESOURCE_EXHAUSTED", "SLOW_WATCHER").found() == set()


@pytest.mark.parametrize(("late_seconds", "broken"), [(0.01, set()), (1.0, {"W13"})])
def test_w13_watchers_that_wait_for_a_stuck_one(late_seconds: float, broken: set[str]) -> None:
    made = MadeUp(revisions=20).opened(name="stuck-1").ended("RESOURCE_EXHAUSTED", "SLOW_WATCHER")
    made.opened().responded("progress", 0)
    for number in range(1, 20):
        made.wrote(f"w{number}", revision=number, version=number).events(number)
    stuck_ns = made.tick()
    made.wrote("w20", revision=20, version=20).tick(late_seconds)
    made.events(20)
    made.history.add(ReadingPaused(1, stuck_ns, made.tick()))
    assert made.found() == broken


def test_w13_a_machine_that_is_slow_for_once_waits_for_nobody() -> None:
    made = MadeUp(revisions=22).opened(name="stuck-1").ended("RESOURCE_EXHAUSTED", "SLOW_WATCHER")
    made.opened().responded("progress", 0)
    for number in range(1, 20):
        made.wrote(f"w{number}", revision=number, version=number).events(number)
    for number, late_seconds in ((20, 0.01), (21, 2.0)):
        stuck_ns = made.tick()
        made.wrote(f"w{number}", revision=number, version=number).tick(late_seconds)
        made.events(number).responded("progress", number)
        made.history.add(ReadingPaused(1, stuck_ns, made.tick()))
    assert made.found() == set()
    stuck_ns = made.tick()
    made.wrote("w22", revision=22, version=22)
    called_ns = made.tick()
    made.history.add(ReplicaStalled("r0", called_ns, made.tick(1.5)))
    made.events(22)
    made.history.add(ReadingPaused(1, stuck_ns, made.tick()))
    assert made.found() == set()


def test_w13_memory_that_grows_without_bound() -> None:
    made = sound()
    made.history.add(MemoryUsed("r0", 0, 100 << 20))
    made.history.add(MemoryUsed("r0", 1, 600 << 20))
    assert made.found() == {"W13"}


def test_w14_a_stream_without_marks() -> None:
    made = MadeUp(revisions=1).opened().responded("progress", 0).events(1)
    made.responded("progress", 1, after_seconds=3)
    assert made.found() == {"W14"}
    made.history.add(ReadingPaused(1, COMMIT_NS, made.tick()))
    assert made.found() == set()


@pytest.mark.parametrize(
    ("stalls", "broken"),
    [
        ([("r0", 0.5, 1.5)], set()),
        ([("r0", 0.5, 1.2), ("", 0.9, 1.5)], set()),
        ([("r0", 0.5, 0.8), ("r1", 1.0, 2.5)], {"W14"}),
    ],
)
def test_w14_nobody_marks_while_it_stands_still(
    stalls: list[tuple[str, float, float]], broken: set[str]
) -> None:
    """Its stalls and those of the harness, each instant once; not those of another replica."""
    made = MadeUp(revisions=1).opened().responded("progress", 0).events(1)
    began_ns = made.tick(0)
    for replica, *span in stalls:
        from_ns, to_ns = (began_ns + round(seconds * SECOND_NS) for seconds in span)
        made.history.add(
            ReplicaStalled(replica, from_ns, to_ns) if replica else HarnessStalled(from_ns, to_ns)
        )
    assert made.responded("progress", 1, after_seconds=3).found() == broken


def test_w15_an_event_that_was_hidden() -> None:
    made = MadeUp()
    made.history.add(Hidden(COMMIT_NS, COMMIT_NS, ("s",)))
    assert made.opened().responded("progress", 4).found() == set()
    assert made.events(1).found() >= {"W15"}


def test_w16_a_drain_without_a_word() -> None:
    made = MadeUp().opened().responded("progress", 0).events(1, 2, 3, 4)
    from_ns = made.tick(1)
    drained = Drained("r0", ("r0/0",), from_ns, from_ns + SECOND_NS, 0)
    made.history.add(drained)
    assert made.ended("UNAVAILABLE", "").found() == {"W16"}


def test_w16_a_drain_with_its_word() -> None:
    made = MadeUp().opened().responded("progress", 0).events(1, 2, 3, 4)
    from_ns = made.tick(1)
    made.history.add(Drained("r0", ("r0/0",), from_ns, from_ns + SECOND_NS, 0))
    made.responded("draining", 4).ended("UNAVAILABLE", "DRAINING")
    assert made.found() == set()


def test_w16_calls_are_cut_unheard_only_when_a_grace_passed_that_somebody_stood_still_in() -> None:
    made = MadeUp().opened().responded("progress", 0).events(1, 2, 3, 4)
    from_ns = made.tick(1)
    cut_ns = from_ns + 3 * SECOND_NS
    made.history.add(Drained("r0", ("r0/0",), from_ns, cut_ns, 0))
    made.tick(3)
    assert made.ended("UNAVAILABLE", "").found() == {"W16"}
    made.history.add(ReplicaStalled("r0", from_ns + SECOND_NS, cut_ns))
    assert made.found() == set()
    made.history.add(Drained("r0", ("r0/0",), from_ns, cut_ns, 0, 30 * SECOND_NS))
    assert made.found() == {"W16"}


def test_w16_a_drained_process_that_fails() -> None:
    made = sound()
    made.history.add(Drained("r0", (), made.tick(), made.tick(), 1))
    assert made.found() == {"W16"}


def test_ack_a_write_that_the_log_does_not_hold() -> None:
    assert MadeUp().wrote("w", revision=9, version=9).found() == {"ACK"}


def test_ack_one_registration_that_made_two_versions() -> None:
    twice = (change(1), replace(change(2), digest=change(1).digest))
    assert MadeUp(changes=twice).wrote("w", revision=1, version=1).found() == {"ACK"}


def test_ack_a_refused_write_that_is_in_the_log() -> None:
    made = MadeUp().wrote("w", revision=0, version=0, outcome="refused", digest="text 3.0")
    assert made.found() == {"ACK"}


def test_ack_two_writes_that_exclude_each_other() -> None:
    made = MadeUp().wrote("a", revision=1, version=1, group="race")
    assert made.found() == set()
    assert made.wrote("b", revision=2, version=2, group="race").found() == {"ACK"}


def test_ack_an_order_against_time() -> None:
    made = MadeUp().wrote("a", revision=2, version=2).wrote("b", revision=1, version=1)
    assert made.found() == {"ACK"}


def test_ack_a_hole_in_the_log() -> None:
    assert "ACK" in MadeUp(changes=(change(1), change(3))).found()


def test_a_history_is_the_same_after_it_was_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with path.open("w", encoding="utf-8") as file:
        made = sound().opened(selection=Selection(subjects=("a",), prefix="b"))
        kept = History(file=file)
        for record in made.history.records:
            kept.add(record)
    assert load(path).records == made.history.records
