"""Children of this process that stand still."""

from __future__ import annotations

import os
import signal


def freeze(pid: int) -> None:
    """Stop a child where it stands; returns once it does, as a signal alone does not."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
