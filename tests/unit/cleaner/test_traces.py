"""Each batch carries the trace of the call that made its job, the same however often it is sent."""

from __future__ import annotations

from tickmesh_cleaner.traces import JobTrace
from tickmesh_serving.tracing import valid_traceparent

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_batches_belong_to_the_trace_of_the_call_that_made_the_job() -> None:
    trace = JobTrace("job-1", CALLER)
    first, second = trace.of_batch(1), trace.of_batch(2)
    assert valid_traceparent(first) == first == JobTrace("job-1", CALLER).of_batch(1)
    assert first.split("-")[1] == CALLER.split("-")[1]
    assert first.split("-")[3] == "01"
    assert first.split("-")[2] not in {second.split("-")[2], CALLER.split("-")[2]}


def test_a_job_without_a_caller_has_a_trace_of_its_own_that_nobody_samples() -> None:
    one, other = (JobTrace(job_id).of_batch(1) for job_id in ("job-1", "job-2"))
    assert valid_traceparent(one) == one
    assert one.endswith("-00")
    assert one.split("-")[1] != other.split("-")[1]
