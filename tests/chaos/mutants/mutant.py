"""What a seeded bug is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug.

    Attributes:
        name: What the launcher calls it.
        seed: Patches the running process.
        scenario: Brings it to light.
        caught_by: The validator that must object.
        consequences: Validators that may object too, because the bug breaks their promise as well.
    """

    name: str
    seed: Callable[[], None]
    scenario: str
    caught_by: str
    consequences: frozenset[str] = frozenset()
