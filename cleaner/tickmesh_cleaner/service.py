"""The gRPC edge: requests in, answers out; everything in between is the application's."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tickmesh.api.cleaner.v1 import cleaner_service_pb2 as pb
from tickmesh.api.cleaner.v1 import cleaner_service_pb2_grpc
from tickmesh_cleaner import judging_messages, messages
from tickmesh_cleaner.domain.errors import InvalidArgumentError
from tickmesh_cleaner.page_tokens import page_token, place_of
from tickmesh_serving.call_context import current_call
from tickmesh_serving.server import GrpcService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import grpc.aio

    from tickmesh_cleaner.application import CleanerApplication
    from tickmesh_cleaner.judging_application import JudgingApplication
    from tickmesh_cleaner.uploads import UploadSession

    _Context = grpc.aio.ServicerContext[Any, Any]

FULL_NAME = "tickmesh.api.cleaner.v1.CleanerService"

UPLOAD_ID = "x-upload-id"
"""Initial metadata of UploadSource: the upload's id."""

_PROGRESS_SECONDS = (0.1, 1.0, 60.0)


class CleanerService(cleaner_service_pb2_grpc.CleanerServiceServicer):
    """Serves CleanerService. The application blocks, so each call gives it a thread."""

    def __init__(self, application: CleanerApplication, judging: JudgingApplication) -> None:
        self._application = application
        self._judging = judging

    def grpc_service(self) -> GrpcService:
        """How a server takes it up."""
        return GrpcService(
            FULL_NAME,
            lambda server: cleaner_service_pb2_grpc.add_CleanerServiceServicer_to_server(
                self, server
            ),
        )

    async def CreateJob(  # noqa: N802 - the contract's name
        self, request: pb.CreateJobRequest, _context: _Context
    ) -> pb.CreateJobResponse:
        """Make a job and start it."""
        order = messages.order_of(request)
        job = await asyncio.to_thread(self._application.create_job, current_call(), order)
        return pb.CreateJobResponse(job=messages.job_message(job))

    async def GetJob(  # noqa: N802
        self, request: pb.GetJobRequest, _context: _Context
    ) -> pb.GetJobResponse:
        """Get one job; on request with its balance recomputed from the stores."""
        job = await asyncio.to_thread(self._application.job, current_call(), request.job_id)
        if request.view != pb.JOB_VIEW_AUDITED:
            return pb.GetJobResponse(job=messages.job_message(job))
        audited = await asyncio.to_thread(self._application.audit, current_call(), request.job_id)
        return pb.GetJobResponse(
            job=messages.job_message(job), audited_balance=messages.balance_message(audited)
        )

    async def ListJobs(  # noqa: N802
        self, request: pb.ListJobsRequest, _context: _Context
    ) -> pb.ListJobsResponse:
        """List jobs, newest first."""
        jobs, place = await asyncio.to_thread(
            self._application.jobs,
            current_call(),
            page_size=request.page_size,
            before=place_of(request.page_token),
            state=messages.state_of(request.state),
            subject=request.subject,
        )
        return pb.ListJobsResponse(
            jobs=[messages.job_message(job) for job in jobs], next_page_token=page_token(place)
        )

    async def PauseJob(  # noqa: N802
        self, request: pb.PauseJobRequest, _context: _Context
    ) -> pb.PauseJobResponse:
        """Halt a running job at its next checkpoint."""
        job = await asyncio.to_thread(self._application.pause_job, current_call(), request.job_id)
        return pb.PauseJobResponse(job=messages.job_message(job))

    async def ResumeJob(  # noqa: N802
        self, request: pb.ResumeJobRequest, _context: _Context
    ) -> pb.ResumeJobResponse:
        """Let a paused job go on."""
        job = await asyncio.to_thread(self._application.resume_job, current_call(), request.job_id)
        return pb.ResumeJobResponse(job=messages.job_message(job))

    async def CancelJob(  # noqa: N802
        self, request: pb.CancelJobRequest, _context: _Context
    ) -> pb.CancelJobResponse:
        """End a job at its next checkpoint."""
        job = await asyncio.to_thread(self._application.cancel_job, current_call(), request.job_id)
        return pb.CancelJobResponse(job=messages.job_message(job))

    async def WatchJob(  # noqa: N802
        self, request: pb.WatchJobRequest, _context: _Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Stream the progress of a job until it ends."""
        call = current_call()
        interval_seconds = _interval_seconds(request)
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(changed.set)

        forget = self._application.listen(call, request.job_id, tell)
        drain = asyncio.ensure_future(call.drain.wait())
        try:
            while True:
                now = await asyncio.to_thread(self._application.moment, call, request.job_id)
                # Who hears of the end may ask at once for the rows, uploads and spools it frees.
                if not now.is_ending:
                    yield pb.WatchJobResponse(progress=messages.progress_message(now))
                    if now.job.state.ended:
                        return
                if drain.done():
                    return
                waiting = asyncio.ensure_future(changed.wait())
                try:
                    await asyncio.wait(
                        {waiting, drain},
                        timeout=interval_seconds,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    waiting.cancel()
                changed.clear()
        finally:
            drain.cancel()
            forget()

    async def UploadSource(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.UploadSourceRequest], context: _Context
    ) -> pb.UploadSourceResponse:
        """Take a file the cleaner cannot see."""
        session: UploadSession | None = None
        try:
            async for request in request_iterator:
                match request.WhichOneof("part"):
                    case "header" if session is None:
                        header = request.header
                        session = await asyncio.to_thread(
                            self._application.begin_upload,
                            current_call(),
                            file_name=header.file_name,
                            size_bytes=header.size_bytes,
                            upload_id=header.upload_id,
                            offset=header.offset,
                        )
                        # The sender learns the id at once: with it, it goes on after a break.
                        await context.send_initial_metadata(((UPLOAD_ID, session.upload_id),))
                    case "chunk" if session is not None:
                        await asyncio.to_thread(session.write, request.chunk)
                    case "sha256" if session is not None:
                        upload_id, size = await asyncio.to_thread(session.finish, request.sha256)
                        return pb.UploadSourceResponse(upload_id=upload_id, size_bytes=size)
                    case _:
                        raise InvalidArgumentError(
                            "part", "expected a header, then chunks, then the digest"
                        )
            raise InvalidArgumentError("sha256", "the upload ended without its digest")
        finally:
            if session is not None:
                await asyncio.to_thread(session.close)

    async def ListQuarantine(  # noqa: N802
        self, request: pb.ListQuarantineRequest, _context: _Context
    ) -> pb.ListQuarantineResponse:
        """List quarantined rows in order of their ids."""
        rows, place = await asyncio.to_thread(
            self._application.quarantined,
            current_call(),
            messages.filter_of(request.filter),
            after_id=place_of(request.page_token) or 0,
            page_size=request.page_size,
        )
        return pb.ListQuarantineResponse(
            rows=[messages.row_message(row) for row in rows], next_page_token=page_token(place)
        )

    async def DescribeQuarantine(  # noqa: N802
        self, request: pb.DescribeQuarantineRequest, _context: _Context
    ) -> pb.DescribeQuarantineResponse:
        """Count quarantined rows by reason, with examples."""
        rows, described = await asyncio.to_thread(
            self._application.describe_quarantine,
            current_call(),
            messages.filter_of(request.filter),
        )
        return pb.DescribeQuarantineResponse(
            rows=rows, reasons=[messages.reason_message(reason) for reason in described]
        )

    async def ReplayQuarantine(  # noqa: N802
        self, request: pb.ReplayQuarantineRequest, _context: _Context
    ) -> pb.ReplayQuarantineResponse:
        """Judge quarantined rows again, as a job."""
        job = await asyncio.to_thread(
            self._application.replay_quarantine,
            current_call(),
            messages.filter_of(request.filter),
            schema_version=request.schema_version,
            source_spec=request.source_spec,
            request_id=request.request_id,
        )
        return pb.ReplayQuarantineResponse(job=messages.job_message(job))

    async def DiscardQuarantine(  # noqa: N802
        self, request: pb.DiscardQuarantineRequest, _context: _Context
    ) -> pb.DiscardQuarantineResponse:
        """Give rows up, for the record."""
        rows = await asyncio.to_thread(
            self._application.discard_quarantine,
            current_call(),
            messages.filter_of(request.filter),
            comment=request.comment,
        )
        return pb.DiscardQuarantineResponse(rows=rows)

    async def BacktestSchema(  # noqa: N802
        self, request: pb.BacktestSchemaRequest, _context: _Context
    ) -> pb.BacktestSchemaResponse:
        """Judge stored and quarantined rows under a candidate."""
        question = judging_messages.question_of(request)
        with _cancellation() as cancelled:
            answered = await asyncio.to_thread(
                self._judging.backtest, current_call(), question, cancelled=cancelled
            )
        return judging_messages.backtest_message(answered)

    async def ValidateRows(  # noqa: N802
        self, request: pb.ValidateRowsRequest, _context: _Context
    ) -> pb.ValidateRowsResponse:
        """Judge a few JSON documents."""
        schema, verdicts = await asyncio.to_thread(
            self._judging.validate,
            current_call(),
            subject=request.subject,
            candidate=judging_messages.candidate_of(request.candidate),
            documents=request.documents,
        )
        return judging_messages.verdicts_message(schema, verdicts)

    async def ExplainSchema(  # noqa: N802
        self, request: pb.ExplainSchemaRequest, _context: _Context
    ) -> pb.ExplainSchemaResponse:
        """Show what each keyword of a schema became."""
        with _cancellation() as cancelled:
            schema, explained = await asyncio.to_thread(
                self._judging.explain,
                current_call(),
                subject=request.subject,
                candidate=judging_messages.candidate_of(request.candidate),
                sample=request.sample,
                cancelled=cancelled,
            )
        return judging_messages.explanation_message(schema, explained)

    async def GetStats(  # noqa: N802
        self, _request: pb.GetStatsRequest, _context: _Context
    ) -> pb.GetStatsResponse:
        """Count what this cleaner did since it started."""
        stats = await asyncio.to_thread(self._judging.stats, current_call())
        return judging_messages.stats_message(stats)


@contextmanager
def _cancellation() -> Iterator[threading.Event]:
    """An event that is set when the call is left before its thread has answered."""
    left = threading.Event()
    try:
        yield left
    finally:
        left.set()


def _interval_seconds(request: pb.WatchJobRequest) -> float:
    shortest, usual, longest = _PROGRESS_SECONDS
    if not request.HasField("progress_interval"):
        return usual
    interval = request.progress_interval
    asked: float = interval.seconds + interval.nanos / 1e9
    return min(max(asked, shortest), longest)
