"""One validator a promise: each judges a whole history against the change log.

A validator yields a violation for everything that the promise forbids and that the history proves;
where the history leaves room for doubt, nothing is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.validators.acknowledged import acknowledged
from tests.chaos.validators.w01_ordered import ordered
from tests.chaos.validators.w02_unique import unique
from tests.chaos.validators.w03_reliable import reliable
from tests.chaos.validators.w04_atomic import atomic
from tests.chaos.validators.w05_resumable import resumable
from tests.chaos.validators.w06_bookmarkable import bookmarkable
from tests.chaos.validators.w07_snapshot import snapshot_and_follow
from tests.chaos.validators.w08_loud_loss import loud_loss
from tests.chaos.validators.w09_identity import identity
from tests.chaos.validators.w10_durable import durable_first
from tests.chaos.validators.w11_read_your_watch import read_your_watch
from tests.chaos.validators.w12_transitions import filter_transitions
from tests.chaos.validators.w13_isolation import isolation
from tests.chaos.validators.w14_liveness import liveness
from tests.chaos.validators.w15_authorised import authorised
from tests.chaos.validators.w16_drain import drain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.chaos.evidence import Evidence
    from tests.chaos.violation import Violation

VALIDATORS: Mapping[str, Callable[[Evidence], Iterator[Violation]]] = {
    "W1": ordered,
    "W2": unique,
    "W3": reliable,
    "W4": atomic,
    "W5": resumable,
    "W6": bookmarkable,
    "W7": snapshot_and_follow,
    "W8": loud_loss,
    "W9": identity,
    "W10": durable_first,
    "W11": read_your_watch,
    "W12": filter_transitions,
    "W13": isolation,
    "W14": liveness,
    "W15": authorised,
    "W16": drain,
    "ACK": acknowledged,
}


def judge(evidence: Evidence) -> list[Violation]:
    """Everything all validators object to."""
    return [violation for validator in VALIDATORS.values() for violation in validator(evidence)]
