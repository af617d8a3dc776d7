"""Runs the benchmarks: all of them, or the ones named.

Each prints one JSON object a line:
`{"bench", "metric", "value", "unit", "baseline", "ratio", "target", "ok"}`.
Baselines are measured in the same run, in turns; a ratio is one of medians. A target that is missed
is a result and no failure: the exit code tells whether everything could be measured.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench._measure import FULL

FOLDER = Path(__file__).resolve().parent
_LONGEST_SECONDS = 3_600.0 if FULL else 300.0
"""A benchmark that takes longer is ended: it hangs."""
_STOP_SECONDS = 60.0


def main(names: list[str]) -> int:
    """Runs each benchmark in a process of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        _say(f"expected one of {', '.join(known)}; was {', '.join(unknown)}")
        return 2
    _say(
        f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.2f}"
    )
    verdicts: Counter[object] = Counter()
    failed: list[str] = []
    for name in names or known:
        started = time.monotonic()
        if not _run(name, verdicts):
            failed.append(name)
        _say(f"{name}: {time.monotonic() - started:.0f} s, load {os.getloadavg()[0]:.2f}")
    _say(f"targets: {verdicts[True]} kept, {verdicts[False]} missed, {verdicts[None]} not judged")
    if failed:
        _say(f"not measured to the end: {', '.join(failed)}")
    return 1 if failed else 0


def _run(name: str, verdicts: Counter[object]) -> bool:
    """Passes its lines on as they come; whether it came to its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # Interrupted, it stops its servers and removes its files.
    timer = threading.Timer(_LONGEST_SECONDS, process.send_signal, [signal.SIGINT])
    timer.start()
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            figure = json.loads(line)
            if figure["target"] is not None:
                verdicts[figure["ok"]] += 1
        return process.wait() == 0
    finally:
        timer.cancel()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _say(text: str) -> None:
    """Beside the figures, so that these stay one JSON object a line."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
