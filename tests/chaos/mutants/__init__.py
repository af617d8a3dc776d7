"""Known bugs of watches, ours and other people's, put into a server process on purpose.

Each is a small patch of one behaviour, applied by the launcher and never anywhere else. The gate
runs the scenario that must bring it to light and asks which validators objected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.mutants import authorising, delivering, filtering, starting, storing, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chaos.mutants.mutant import Mutant

MUTANTS: Mapping[str, Mutant] = {
    mutant.name: mutant
    for module in (delivering, starting, filtering, waiting, authorising, storing)
    for mutant in module.MUTANTS
}
