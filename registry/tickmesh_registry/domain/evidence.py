"""What a proposer found in data: kept with a version as evidence, never judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .bounds import MAX_INSTANT_NS
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SOURCE = 255
_MAX_REASONS = 64
_MAX_REASON = 255
_MAX_PATH = 1_024
_MAX_ROWS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FailingRows:
    """How many rows fail for one reason.

    Attributes:
        reason: The keyword or rule that fails.
        path: JSON Pointer into the row.
        rows: How many rows.
    """

    reason: str
    path: str
    rows: int


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a candidate would do to rows that exist, as its proposer found.

    Attributes:
        source: What was looked at.
        made_at_ns: When it was looked at; none when that was not said.
        rows_checked: How many rows were judged.
        rows_rejected: How many stored rows would be rejected.
        rows_released: How many rows in quarantine would be released.
        reasons: Rejected rows by reason.
        fingerprint: The fingerprint of the candidate looked at; empty when that was not said.
    """

    source: str = ""
    made_at_ns: int | None = None
    rows_checked: int = 0
    rows_rejected: int = 0
    rows_released: int = 0
    reasons: tuple[FailingRows, ...] = ()
    fingerprint: str = ""


def data_report_of(content: Mapping[str, Any]) -> DataReport:
    """Read what `dataclasses.asdict` made of a report."""
    reasons = tuple(FailingRows(**each) for each in content["reasons"])
    return DataReport(**{**content, "reasons": reasons})


def require_data_report(report: DataReport) -> DataReport:
    """Return the report, or raise InvalidArgumentError where it is out of bounds."""
    _require_length("data_report.source", report.source, _MAX_SOURCE)
    _require_length("data_report.fingerprint", report.fingerprint, _MAX_REASON)
    if report.made_at_ns is not None and not 0 <= report.made_at_ns <= MAX_INSTANT_NS:
        raise InvalidArgumentError.of(
            "data_report.made_at", f"expected 1970 to 2262, got {report.made_at_ns} ns"
        )
    _require_rows("data_report.rows_checked", report.rows_checked, _MAX_ROWS)
    _require_rows("data_report.rows_rejected", report.rows_rejected, report.rows_checked)
    _require_rows("data_report.rows_released", report.rows_released, _MAX_ROWS)
    if len(report.reasons) > _MAX_REASONS:
        raise InvalidArgumentError.of(
            "data_report.reasons",
            f"expected at most {_MAX_REASONS} entries, got {len(report.reasons)}",
        )
    for position, each in enumerate(report.reasons):
        field = f"data_report.reasons[{position}]"
        if not each.reason:
            raise InvalidArgumentError.of(f"{field}.reason", "expected a keyword or rule, got none")
        _require_length(f"{field}.reason", each.reason, _MAX_REASON)
        _require_length(f"{field}.path", each.path, _MAX_PATH)
        _require_rows(f"{field}.rows", each.rows, report.rows_checked)
    return report


def require_report_of(report: DataReport | None, fingerprint: str) -> None:
    """Raise InvalidArgumentError when the report is about another schema than the candidate."""
    if report is not None and report.fingerprint not in ("", fingerprint):
        raise InvalidArgumentError.of(
            "data_report.fingerprint",
            f"expected the fingerprint of the candidate, {fingerprint}, got {report.fingerprint}; "
            "make the report anew for this text",
        )


def _require_length(field: str, text: str, most: int) -> None:
    if len(text) > most:
        raise InvalidArgumentError.of(field, f"expected at most {most} characters, got {len(text)}")


def _require_rows(field: str, rows: int, most: int) -> None:
    if not 0 <= rows <= most:
        raise InvalidArgumentError.of(field, f"expected 0 to {most}, got {rows}")
