"""The feed's own numbers tell what is missing, what comes again, and nothing else."""

from __future__ import annotations

import json

import pytest

from tickmesh_cleaner.feeds.sequence import WINDOW, Kind, SequenceTracker


def message(number: object, text: str = "") -> bytes:
    return json.dumps({"data": {"seq": number}, "text": text}).encode()


def kinds(tracker: SequenceTracker, messages: list[bytes]) -> list[Kind]:
    return [tracker.note(each).kind for each in messages]


def test_numbers_that_follow_are_no_news() -> None:
    tracker = SequenceTracker("/data/seq")
    assert kinds(tracker, [message(n) for n in (7, 8, 9)]) == [Kind.NEXT] * 3
    assert tracker.last == 9


def test_a_jump_names_what_was_expected() -> None:
    tracker = SequenceTracker("/data/seq")
    tracker.note(message(7))
    place = tracker.note(message(12))
    assert (place.kind, place.expected, place.number) == (Kind.AHEAD, 8, 12)
    assert tracker.note(message(13)).kind is Kind.NEXT


def test_the_same_message_again_is_a_repetition_and_another_of_its_number_is_not() -> None:
    tracker = SequenceTracker("/data/seq")
    kinds(tracker, [message(1), message(2), message(3)])
    assert tracker.note(message(2)).kind is Kind.REPEATED
    assert tracker.last == 3
    assert tracker.note(message(2, "corrected")).kind is Kind.BEHIND
    assert tracker.last == 2


def test_repetitions_are_known_within_a_window() -> None:
    tracker = SequenceTracker("/data/seq")
    kinds(tracker, [message(number) for number in range(WINDOW + 1)])
    assert tracker.note(message(1)).kind is Kind.REPEATED
    assert tracker.note(message(0)).kind is Kind.BEHIND


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"data": 1}', message(None), message(True), message(1.5), message("x")]
)
def test_what_has_no_number_is_left_alone(text: bytes) -> None:
    tracker = SequenceTracker("/data/seq")
    kinds(tracker, [message(1)])
    assert tracker.note(text).kind is Kind.UNNUMBERED
    assert tracker.note(message("2")).kind is Kind.NEXT


def test_without_a_pointer_nothing_is_numbered() -> None:
    assert SequenceTracker("").note(message(1)).kind is Kind.UNNUMBERED
