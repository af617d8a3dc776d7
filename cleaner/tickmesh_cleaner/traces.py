"""The trace a job's work belongs to, as W3C trace context beside each batch.

https://www.w3.org/TR/trace-context/, version 00: trace id, parent id, flags.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_TRACE_ID_DIGITS = 32
_SPAN_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class JobTrace:
    """A job's trace: that of the call that made it, else one named by the job.

    Attributes:
        job_id: The job.
        traceparent: The trace context of the call that made it; empty when it had none.
    """

    job_id: str
    traceparent: str = ""

    def of_batch(self, n: int) -> str:
        """The trace context of batch n: the same whenever and however often it is sent."""
        trace_id, flags = _digits(f"job {self.job_id}", _TRACE_ID_DIGITS), "00"
        if self.traceparent:
            _, trace_id, _, flags = self.traceparent.split("-")
        return f"00-{trace_id}-{_digits(f'job {self.job_id} batch {n}', _SPAN_ID_DIGITS)}-{flags}"


def _digits(name: str, count: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:count]
