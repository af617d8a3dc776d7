"""The producer ledger (T4) against a plain model of what it promises."""

from __future__ import annotations

import contextlib
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from tickmesh_tickstore.domain.errors import (
    ProducerFencedError,
    ProducerNotOpenError,
    SequenceGapError,
)
from tickmesh_tickstore.domain.producers import (
    REMEMBERED_SEQUENCES,
    ProducerLedger,
    ProducerRecord,
    ProducerSequence,
    SequenceRun,
)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.just(0), st.just(0)),
        st.tuples(st.just("send"), st.integers(0, 4), st.integers(1, 12)),
    ),
    max_size=60,
)


@given(STEPS)
def test_t4_a_sequence_is_stored_once_under_the_open_epoch(
    steps: list[tuple[str, int, int]],
) -> None:
    ledger = ProducerLedger(limit=10)
    epoch, stored, revision = 0, dict[int, int](), 0
    for step, sent_epoch, sequence in steps:
        revision += 1
        admission = ledger.admission()
        if step == "open":
            state = admission.open("p")
            epoch += 1
            assert (state.epoch, state.last_sequence) == (epoch, len(stored))
            ledger.record_opened("p", epoch)
            continue
        message = ProducerSequence("p", sent_epoch, sequence)
        if epoch == 0 or sent_epoch > epoch:
            expected: type[Exception] | None = ProducerNotOpenError
        elif sent_epoch < epoch:
            expected = ProducerFencedError
        elif sequence > len(stored) + 1:
            expected = SequenceGapError
        else:
            expected = None
        caught: Exception | None = None
        new = False
        try:
            new = admission.is_new(message)
        except (ProducerNotOpenError, ProducerFencedError, SequenceGapError) as error:
            caught = error
        assert type(caught) is (expected or type(None))
        if new:
            assert sequence not in stored
            stored[sequence] = revision
            ledger.record_stored(
                (SequenceRun("p", sent_epoch, sequence, sequence),), revision=revision
            )
        elif caught is None:
            assert ledger.revision_of(message) == stored[sequence]


def test_an_admission_that_is_forgotten_leaves_no_trace() -> None:
    ledger = ProducerLedger(limit=10)
    ledger.record_opened("p", 1)
    admission = ledger.admission()
    checkpoint = admission.checkpoint()
    admission.admit("p", 1, through=1)
    admission.restore(checkpoint)
    assert admission.is_new(ProducerSequence("p", 1, 1))
    assert ledger.admission().is_new(ProducerSequence("p", 1, 1))


def test_what_is_remembered_survives_packing_and_stays_bounded() -> None:
    record = ProducerRecord(3, 0, deque())
    ledger = ProducerLedger(limit=1)
    ledger.restore("p", record)
    for sequence in range(1, 3 * REMEMBERED_SEQUENCES):
        ledger.record_stored((SequenceRun("p", 3, sequence, sequence),), revision=sequence * 2)
    ((name, changed),) = ledger.take_changed()
    assert name == "p"
    assert ProducerRecord.unpack_recent(changed.pack_recent()) == changed.recent
    assert len(changed.recent) == REMEMBERED_SEQUENCES
    oldest = changed.last_sequence - REMEMBERED_SEQUENCES + 1
    assert changed.revision_of(oldest) == oldest * 2
    assert changed.revision_of(oldest - 1) is None
    with contextlib.suppress(StopIteration):
        next(iter(ledger.take_changed()))
        raise AssertionError("nothing changed since")
