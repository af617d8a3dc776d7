"""The account of a job: every row in is stored, quarantined or a duplicate, exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace


def _sum_of(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}


@dataclass(frozen=True, slots=True)
class Balance:
    """Counts of one batch, or of all committed batches of a job.

    Attributes:
        records: Records cut by the decoder, skipped ones included.
        rows_in: Rows made plus records that made none; skipped kinds are not rows in.
        stored: Rows in the tick store, each once however often it was sent.
        quarantined: Rows in quarantine.
        duplicates: Rows accounted for by an earlier run over the same source.
        skipped: Records of kinds the source spec names under skip, by kind.
        extras: Undeclared fields seen and not stored, by name.
        coercions: Lossless coercions, by code.
        flagged: Stored rows a rule flagged, by the rule's code.
        repaired: Values a rule repaired, by the rule's code.
    """

    records: int = 0
    rows_in: int = 0
    stored: int = 0
    quarantined: int = 0
    duplicates: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    extras: Mapping[str, int] = field(default_factory=dict)
    coercions: Mapping[str, int] = field(default_factory=dict)
    flagged: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether rows in = stored + quarantined + duplicates."""
        return self.rows_in == self.stored + self.quarantined + self.duplicates

    def __add__(self, other: Balance) -> Balance:
        return Balance(
            records=self.records + other.records,
            rows_in=self.rows_in + other.rows_in,
            stored=self.stored + other.stored,
            quarantined=self.quarantined + other.quarantined,
            duplicates=self.duplicates + other.duplicates,
            skipped=_sum_of(self.skipped, other.skipped),
            extras=_sum_of(self.extras, other.extras),
            coercions=_sum_of(self.coercions, other.coercions),
            flagged=_sum_of(self.flagged, other.flagged),
            repaired=_sum_of(self.repaired, other.repaired),
        )

    def as_duplicates(self) -> Balance:
        """The same rows seen again by a later run: nothing stored, nothing quarantined anew."""
        return Balance(
            records=self.records,
            rows_in=self.rows_in,
            duplicates=self.rows_in,
            skipped=self.skipped,
            extras=self.extras,
            coercions=self.coercions,
        )

    def stored_before(self) -> Balance:
        """The same rows where an earlier run stored the good ones: these are duplicates now."""
        return replace(
            self,
            stored=0,
            duplicates=self.duplicates + self.stored,
            flagged={},
            repaired={},
        )

    def to_json(self) -> dict[str, int | dict[str, int]]:
        """Plain counts, as the store keeps them."""
        return {
            item.name: dict(value) if isinstance(value, Mapping) else value
            for item in fields(self)
            for value in (getattr(self, item.name),)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, int | Mapping[str, int]]) -> Balance:
        """The inverse of `to_json`."""
        return cls(**data)  # type: ignore[arg-type]  # written by to_json alone
