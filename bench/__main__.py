"""Runs the benchmarks: all of them, or the ones named.

Each prints one JSON object a line:
`{"bench", "metric", "value", "unit", "baseline", "ratio", "target", "ok"}`.
Baselines are measured in the same run, interleaved; a ratio is one of medians.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run each benchmark in a process of its own; the exit code is that of the last failure."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"expected one of {', '.join(known)}; was {', '.join(unknown)}", file=sys.stderr)
        return 2
    code = 0
    for name in names or known:
        code = (
            subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode or code
        )
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
