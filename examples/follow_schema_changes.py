"""Print every schema change as it happens, and what it breaks.

Start a mesh first: `tickmesh up`. Arguments: the beginning of the subjects' names; all if absent.
Ctrl-C ends it.
"""

from __future__ import annotations

import sys

from tickmesh import RegistryClient
from tickmesh.schema import Action, Verdict
from tickmesh.schema.compatibility import NO_WITNESS


def main(prefix: str) -> None:
    """Print what there is, then follow; a broken connection is resumed without a gap."""
    with RegistryClient() as registry:
        for message in registry.watch(prefix=prefix, snapshot=True):
            for event in message.events:
                if event.schema is None:
                    continue
                new = event.schema
                print(f"{new.subject} version {new.version}: {new.action}", flush=True)
                if new.action is not Action.BREAKING_CHANGE or event.report is None:
                    continue
                for comparison in event.report.comparisons:
                    for change in comparison.changes:
                        if change.verdict is not Verdict.COMPATIBLE:
                            print(f"  {change.path}: {change.message}", flush=True)
                        if change.witness is not NO_WITNESS:
                            print(f"  was good before: {change.witness}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
    except KeyboardInterrupt:
        sys.exit(0)
