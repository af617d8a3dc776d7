"""What one proposes to the registry: schemas, policies, change sets, and evidence for them.

All instants are integer nanoseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh.registered import CompatibilitySettings, Registration, UndecidedPolicy
    from tickmesh.schema import Mode, Policy


@dataclass(frozen=True, slots=True)
class FailingRows:
    """How many rows fail for one reason: a keyword or rule, and a JSON Pointer into the row."""

    reason: str
    path: str
    rows: int


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a candidate would do to rows that exist, as its proposer found; kept as evidence.

    Attributes:
        source: what was looked at, for example `ticks.trades@1042`.
        made_at_ns: when it was looked at.
        rows_checked: how many rows were judged.
        rows_rejected: how many rows that are stored would be rejected.
        rows_released: how many rows in quarantine would be released.
        reasons: rejected rows by reason, at most 64.
        fingerprint: of the candidate that was looked at; must be the registered one when given.
    """

    source: str = ""
    made_at_ns: int | None = None
    rows_checked: int = 0
    rows_rejected: int = 0
    rows_released: int = 0
    reasons: tuple[FailingRows, ...] = ()
    fingerprint: str = ""

    @classmethod
    def parse(cls, text: str) -> DataReport:
        """Read the `data_report` of a backtest: the wire's message in proto3 JSON.

        Raises:
            InvalidArgumentError: it is none.
        """
        from tickmesh._registry.messages import data_report_from_text

        return data_report_from_text(text)


@dataclass(frozen=True, slots=True)
class SchemaProposal:
    """A registration within a change set; see `RegistryClient.register` for the meaning.

    Attributes:
        references: `$ref` name → (subject, version); versions registered earlier in the set count.
    """

    subject: str
    text: str
    references: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    effective_from_ns: int | None = None
    expected_version: int | None = None
    allow_breaking: bool = False
    ignore_deleted: bool = False
    data_report: DataReport | None = None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """New compatibility settings within a change set; None returns one to the inherited value.

    Attributes:
        subject: the subject; the registry as a whole when None.
    """

    subject: str | None = None
    mode: Mode | None = None
    policy: Policy | None = None
    undecided: UndecidedPolicy | None = None


@dataclass(frozen=True, slots=True)
class ChangeSetOutcome:
    """What a change set did.

    Attributes:
        results: one for each item, in order: a registration, or the settings in effect now.
        revision: the one revision of all changes, or the head when nothing changed.
    """

    results: tuple[Registration | CompatibilitySettings, ...]
    revision: int
