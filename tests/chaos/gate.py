"""The mutation gate: every seeded bug must be caught, and a sound registry must pass.

Each scenario is played once without a bug, then once with each bug it is there for.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.bench import play
from tests.chaos.mutants import MUTANTS
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.validators import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tests.chaos.violation import Violation

SOUND = ""
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the validators said of one play.

    Attributes:
        mutant: The bug, "" for none.
        ok: Caught by the validator that must, and by none that should not; or sound.
        found: The promises found broken.
    """

    scenario: str
    mutant: str
    ok: bool
    expected: str
    found: tuple[str, ...]
    seconds: float
    example: str


async def run_gate(mutants: Collection[str] = ()) -> list[Outcome]:
    """Play all scenarios, or those of the bugs named, with and without bugs.

    Args:
        mutants: Names of bugs; all when empty.
    """
    wanted = [MUTANTS[name] for name in mutants] if mutants else list(MUTANTS.values())
    names = [s for s in SCENARIOS if any(m.scenario == s for m in wanted)]
    turns = asyncio.Semaphore(_AT_ONCE)
    plays = [
        *((name, SOUND) for name in names),
        *((mutant.scenario, mutant.name) for mutant in wanted),
    ]
    return await asyncio.gather(*(_turn(turns, *each) for each in plays))


async def _turn(turns: asyncio.Semaphore, scenario: str, mutant: str) -> Outcome:
    async with turns:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tickmesh-chaos-") as home:
            try:
                evidence = await play(SCENARIOS[scenario], Path(home), mutant=mutant)
                outcome = _outcome(scenario, mutant, judge(evidence), time.monotonic() - began)
            except Exception as failure:  # noqa: BLE001 - one play that fails does not hide the others
                told = " ".join(str(failure).splitlines())[-300:] or repr(failure)
                seconds = round(time.monotonic() - began, 1)
                outcome = Outcome(scenario, mutant, False, "", ("broken off",), seconds, told)
        sys.stdout.write(_line(outcome) + "\n")
        sys.stdout.flush()
        return outcome


def _outcome(
    scenario: str, mutant: str, violations: Sequence[Violation], seconds: float
) -> Outcome:
    found = tuple(sorted({violation.promise for violation in violations}))
    expected = ""
    ok = not found
    if mutant:
        bug = MUTANTS[mutant]
        expected = bug.caught_by
        ok = expected in found and set(found) <= {expected, *bug.consequences}
    told = [v for v in violations if not expected or v.promise == expected] or violations
    example = f"{told[0].promise} {told[0].where}: {told[0].text}" if told else ""
    return Outcome(scenario, mutant, ok, expected, found, round(seconds, 1), example[:300])


def _line(outcome: Outcome) -> str:
    state = "ok  " if outcome.ok else "FAIL"
    what = outcome.mutant or "(sound)"
    found = ",".join(outcome.found) or "-"
    return (
        f"{state} {outcome.scenario:<11} {what:<27} expected {outcome.expected or '-':<4} "
        f"found {found:<12} {outcome.seconds:5.1f} s  {outcome.example}"
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line of JSON."""
    caught = [o for o in outcomes if o.mutant and o.ok]
    return json.dumps(
        {
            "chaos": "mutation gate",
            "mutants": sum(bool(o.mutant) for o in outcomes),
            "caught": len(caught),
            "sound": sum(o.ok for o in outcomes if not o.mutant),
            "scenarios": sum(not o.mutant for o in outcomes),
            "failed": [asdict(o) for o in outcomes if not o.ok],
            "ok": all(o.ok for o in outcomes),
        }
    )
