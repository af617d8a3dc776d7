"""What the comparison of one pair of forms comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.schema.compatibility.confluent.differences import DifferenceKind
    from tickmesh.schema.compatibility.confluent.forms import Form
    from tickmesh.schema.keywords import Path


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: Its published kind.
        form: The form it stands in: the new one, the old one for what was removed.
        steps: The way from there to what differs.
        message: What differs, in words.
    """

    kind: DifferenceKind
    form: Form
    steps: Path
    message: str


class Outcome:
    """The differences of one pair, with those of the pairs inside it.

    Attributes:
        compatible: Whether every difference is one that the policy lets through.
        differs: Whether there is any difference.
        own: The differences of the pair itself.
        inner: The outcomes of pairs inside it; in recursion one of them may be around it too.
    """

    __slots__ = ("_allowed", "compatible", "differs", "inner", "own")

    def __init__(self, allowed: frozenset[DifferenceKind], *, compatible: bool = True) -> None:
        """Begin without differences; a pair known to be incompatible may begin as such."""
        self._allowed = allowed
        self.own: list[Difference] = []
        self.inner: list[Outcome] = []
        self.compatible = compatible
        self.differs = not compatible

    def add(self, kind: DifferenceKind, form: Form, *steps: str | int, message: str) -> None:
        """Record a difference."""
        self.own.append(Difference(kind, form, steps, message))
        self.compatible &= kind in self._allowed
        self.differs = True

    def include(self, inner: Outcome) -> None:
        """Take over the differences of a pair inside this one."""
        if inner.differs or inner.inner:
            self.inner.append(inner)
        self.compatible &= inner.compatible
        self.differs |= inner.differs

    def differences(self) -> Iterator[Difference]:
        """Yield every difference once, however many ways lead to its pair."""
        pending, seen = [self], {id(self)}
        while pending:
            outcome = pending.pop()
            yield from outcome.own
            for inner in reversed(outcome.inner):
                if id(inner) not in seen:
                    seen.add(id(inner))
                    pending.append(inner)
