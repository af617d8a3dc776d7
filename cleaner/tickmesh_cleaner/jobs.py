"""Runs jobs: several at once, each on a thread; takes over what nobody owns any more."""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from tickmesh.errors import TickmeshError
from tickmesh_cleaner.control import HaltedError, JobControl, StoppedError
from tickmesh_cleaner.domain.errors import CleanerError
from tickmesh_cleaner.domain.job import (
    Job,
    JobRequest,
    JobState,
    check_can_cancel,
    check_can_pause,
    check_can_resume,
)
from tickmesh_cleaner.domain.job_event import JobEvent
from tickmesh_cleaner.domain.job_source import (
    FilesSource,
    QuarantineSource,
    UploadedSource,
)
from tickmesh_cleaner.progress import Moment, Progress
from tickmesh_cleaner.store.jobs import OwnershipLostError
from tickmesh_cleaner.store.leases import LeaseHeldError
from tickmesh_cleaner.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_cleaner.domain.intent import Intent
    from tickmesh_cleaner.work import Workshop

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.jobs")

LEASE_SECONDS = 15.0
"""How long after its death the jobs of a process may be taken over by another."""

_RENEWALS = 5
_LOOK_SECONDS = 0.5
_LAYOUT_SECONDS = 0.1
_ENDING_SECONDS = 10.0
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class _ActiveJob:
    """A job that has a thread."""

    def __init__(self, workshop: Workshop) -> None:
        self.control = JobControl()
        self.progress = Progress(workshop.clock)
        self.thread: threading.Thread | None = None


class JobRunner:
    """Gives every job that can go on a thread; lets a bounded number of them work at a time.

    They take turns: a long job lets others pass at its checkpoints, and one that waits for its
    source, its sink or the registry takes nobody's turn.
    """

    def __init__(self, workshop: Workshop, *, owner: str, max_running: int) -> None:
        """Begin with nothing; see `take_up`.

        Args:
            workshop: What jobs have in common.
            owner: Names this process: what it owns by a lease, no other touches.
            max_running: Jobs that work at a time.
        """
        self._workshop = workshop
        self._jobs = workshop.store.jobs
        self._leases = workshop.store.leases
        self._owner = owner
        # Apart from each other: digests of large files keep nobody from judging.
        self._identifying = Turns(max_running)
        self._judging = Turns(max_running)
        self._lock = threading.RLock()
        self._active: dict[str, _ActiveJob] = {}
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="leases", daemon=True)

    def take_up(self) -> None:
        """Go on with every job that nobody owns, except those that are paused.

        From then on leases are renewed, and jobs whose owner has died are taken over.
        """
        self._take_ownerless()
        self._keeper.start()

    def submit(self, job: Job) -> None:
        """Start a job's thread, unless it has one."""
        with self._lock:
            if self._stopping.is_set() or job.id in self._active:
                return
            active = _ActiveJob(self._workshop)
            active.thread = threading.Thread(
                target=self._run, args=(job.id, active), name=f"job-{job.id[:8]}", daemon=True
            )
            self._active[job.id] = active
            active.thread.start()

    def pause(self, job_id: str) -> Job:
        """Halt a job at its next checkpoint.

        Raises:
            JobStateError: It has ended.
        """
        with self._lock:
            check_can_pause(self._jobs.get(job_id))
            job = self._jobs.request(job_id, JobRequest.PAUSE)
            self._tell(job_id, JobRequest.PAUSE)
        return job

    def resume(self, job_id: str, *, approved_version: int) -> Job:
        """Let a paused job go on; approves schema versions up to one.

        Raises:
            JobStateError: It has ended.
        """
        self._let_ending_job_end(job_id)
        with self._lock:
            check_can_resume(self._jobs.get(job_id), left_something=self._left_something(job_id))
            self._jobs.approve(job_id, approved_version)
            job = self._jobs.request(job_id, JobRequest.RUN)
            active = self._active.get(job_id)
            if active is not None:
                active.control.request(JobRequest.RUN)
                return job
            # Else another process owns it, and will hear of it.
            with suppress(LeaseHeldError):
                if self._own(job_id).state.ended:
                    self._workshop.store.job_files.forget_untouched(job_id, owner=self._owner)
                job = self._jobs.move(job_id, JobState.PENDING, owner=self._owner)
                self.submit(job)
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job at its next checkpoint.

        Raises:
            JobStateError: It has ended otherwise.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            check_can_cancel(job)
            if job.state.ended:
                return job
            job = self._jobs.request(job_id, JobRequest.CANCEL)
            if job_id in self._active:
                self._tell(job_id, JobRequest.CANCEL)
                return job
            # Else another process owns it, and will hear of it.
            with suppress(LeaseHeldError):
                self._end(self._own(job_id), JobState.CANCELLED)
            return self._jobs.get(job_id)

    def moment(self, job_id: str) -> Moment:
        """Where a job is; all zero when it has no thread."""
        with self._lock:
            active = self._active.get(job_id)
        return active.progress.moment() if active else Moment()

    def is_at_work(self, job_id: str) -> bool:
        """Whether a job has a thread; listeners hear when it has none any more."""
        with self._lock:
            return job_id in self._active

    def listen(self, job_id: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from any thread, when a job stops working; returns how to stop that."""
        with self._lock:
            self._listeners.setdefault(job_id, []).append(listener)

        def forget() -> None:
            with self._lock:
                listeners = self._listeners.get(job_id, [])
                if listener in listeners:
                    listeners.remove(listener)
                if not listeners:
                    self._listeners.pop(job_id, None)

        return forget

    def stop(self, *, timeout_seconds: float) -> None:
        """Stop all jobs where they are; their open intents are taken up after the restart."""
        with self._lock:
            self._stopping.set()
            active = list(self._active.values())
        for one in active:
            one.control.stop()
        for one in active:
            if one.thread is not None:
                one.thread.join(timeout_seconds)
        if self._keeper.ident is not None:
            self._keeper.join(timeout_seconds)

    def _keep(self) -> None:
        """Renew leases, hear what other processes asked for, take over from dead ones."""
        while not self._stopping.wait(LEASE_SECONDS / _RENEWALS):
            try:
                until_ns = self._workshop.clock.now_ns() + int(LEASE_SECONDS * 1e9)
                self._leases.renew(self._owner, until_ns=until_ns)
                with self._lock:
                    active = dict(self._active)
                for job_id, one in active.items():
                    # Under the lock: what is asked here meanwhile is not undone by what was read.
                    with self._lock:
                        one.control.request(self._jobs.get(job_id).requested)
                self._take_ownerless()
            except Exception:  # noqa: BLE001 - the database may be full now and not later
                _log.exception("leases.not_renewed")

    def _take_ownerless(self) -> None:
        for job_id in self._leases.ownerless(now_ns=self._workshop.clock.now_ns()):
            with self._lock, suppress(LeaseHeldError):
                job = self._jobs.get(job_id)
                if job.state.ended or job_id in self._active:
                    continue
                if job.requested is JobRequest.CANCEL:
                    self._end(self._own(job_id), JobState.CANCELLED)
                elif job.requested is JobRequest.RUN and job.state is not JobState.PAUSED:
                    self.submit(job)

    def _own(self, job_id: str) -> Job:
        now_ns = self._workshop.clock.now_ns()
        until_ns = now_ns + int(LEASE_SECONDS * 1e9)
        return self._jobs.take_over(job_id, self._owner, now_ns=now_ns, until_ns=until_ns)

    def _let_ending_job_end(self, job_id: str) -> None:
        """Wait for the thread of a job that has ended: until then it frees what the job held."""
        with self._lock:
            active = self._active.get(job_id)
            ending = active is not None and self._jobs.get(job_id).state.ended
        if active is not None and active.thread is not None and ending:
            active.thread.join(_ENDING_SECONDS)

    def _drop_upload(self, upload_id: str) -> None:
        """Free the spool of a file that is cleaned, unless another job is to read it."""
        source = UploadedSource(upload_id)
        if not any(job.source == source for job in self._jobs.unfinished()):
            self._workshop.uploads.drop(upload_id)

    def _open_intents(self, job_id: str) -> list[Intent]:
        producer = self._jobs.get(job_id).producer_id
        opened = self._workshop.store.ledger.state(producer).open
        return [intent for intent in opened if intent.job_id == job_id]

    def _left_something(self, job_id: str) -> bool:
        """Whether a job that ended left rows of unknown fate, or failed before its last file."""
        job = self._jobs.get(job_id)
        failed_at_a_file = (
            job.state is JobState.FAILED
            and self._workshop.store.job_files.current(job_id) is not None
        )
        return failed_at_a_file or bool(self._open_intents(job_id))

    def _tell(self, job_id: str, requested: JobRequest) -> None:
        active = self._active.get(job_id)
        if active is not None:
            active.control.request(requested)

    def _run(self, job_id: str, active: _ActiveJob) -> None:
        try:
            self._carry_out(job_id, active)
        except StoppedError:
            _log.info("job.stopped", job_id=job_id)
        except (OwnershipLostError, LeaseHeldError):
            _log.warning("job.ownership_lost", job_id=job_id)
        finally:
            with self._lock:
                self._active.pop(job_id, None)
                self._leases.give_up(job_id, owner=self._owner)
                listeners = list(self._listeners.get(job_id, ()))
                # A resume that came while this thread was ending must not be lost.
                job = self._jobs.get(job_id)
                if job.state is JobState.PAUSED and job.requested is JobRequest.RUN:
                    self.submit(job)
            for listener in listeners:
                listener()

    def _carry_out(self, job_id: str, active: _ActiveJob) -> None:
        with self._lock:
            job = self._own(job_id)
            active.control.request(job.requested)
        try:
            if isinstance(job.source, FilesSource):
                self._clean_files(job, active)
            else:
                self._clean(job, active)
        except HaltedError as halted:
            if halted.requested is JobRequest.CANCEL:
                self._end(job, JobState.CANCELLED)
            else:
                if halted.message:
                    self._jobs.request(job.id, JobRequest.PAUSE)
                self._jobs.move(job.id, JobState.PAUSED, owner=self._owner, message=halted.message)
        except (CleanerError, TickmeshError) as error:
            _log.warning("job.failed", job_id=job.id, reason=error.reason, message=error.message)
            self._end(job, JobState.FAILED, message=error.message, error_reason=error.reason)
        except (StoppedError, OwnershipLostError):
            raise
        except OSError as error:
            if error.errno not in _DISK_FULL:
                self._end_by_defect(job)
                return
            _log.warning("job.disk_full", job_id=job.id)
            self._end(
                job,
                JobState.FAILED,
                message="the disk of the cleaner's data directory is full; free space there, then "
                "resume the job: it goes on where it stands",
                error_reason="LIMIT_EXCEEDED",
            )
        except Exception:  # noqa: BLE001 - a defect: the job ends, the others go on
            self._end_by_defect(job)
        else:
            self._end(job, JobState.SUCCEEDED)

    def _end_by_defect(self, job: Job) -> None:
        _log.exception("job.defect", job_id=job.id)
        self._end(
            job,
            JobState.FAILED,
            message=f"an internal error of the cleaner; report the job id {job.id}",
            error_reason="INTERNAL",
        )

    def _clean(self, job: Job, active: _ActiveJob) -> None:
        """Carry one source to its end."""
        control = active.control
        with control.at_work(self._identifying):
            self._workshop.fetch(job, control=control)
            job = self._workshop.identify(job)
        job = self._await_layout(job, active)
        self._await_producer(job, active)
        with (
            control.at_work(self._judging),
            self._workshop.metrics.jobs_running.track_inprogress(),
        ):
            job = self._jobs.move(job.id, JobState.RUNNING, owner=self._owner)
            self._workshop.pipeline(job, control=control, progress=active.progress).run()

    def _clean_files(self, job: Job, active: _ActiveJob) -> None:
        """Carry each file of a job to its end, beginning with the one the job was at."""
        clock, files = self._workshop.clock, self._workshop.store.job_files
        while (file := self._workshop.next_file(job)) is not None:
            if job.identity is None:
                started = JobEvent("FILE_STARTED", file.name, clock.now_ns())
                job = self._jobs.note_event(job.id, started, owner=self._owner)
            self._clean(job, active)
            job = files.end(job, owner=self._owner, at_ns=clock.now_ns())

    def _await_layout(self, job: Job, active: _ActiveJob) -> Job:
        """A file that is followed may not be there yet."""
        waited = False
        while (laid_out := self._workshop.lay_out(job)) is None:
            if not waited:
                waited = True
                message = f"waits for the first line of {job.source_name}"
                self._jobs.move(job.id, JobState.WAITING, owner=self._owner, message=message)
            active.control.wait(_LAYOUT_SECONDS)
        return laid_out

    def _await_producer(self, job: Job, active: _ActiveJob) -> None:
        """Two jobs of one producer would take each other's numbers: they go one after the other."""
        waited = ""
        while (holder := self._jobs.hold_producer(job)) is not None:
            if waited != holder.id:
                waited = holder.id
                self._jobs.move(
                    job.id,
                    JobState.WAITING,
                    owner=self._owner,
                    message=f"job {holder.id} cleans the same source and is {holder.state}; "
                    "this one goes on when it has ended",
                )
            active.control.wait(_LOOK_SECONDS)

    def _end(self, job: Job, state: JobState, *, message: str = "", error_reason: str = "") -> None:
        self._jobs.move(
            job.id,
            state,
            owner=self._owner,
            message=message,
            error_reason=error_reason,
            ended_at_ns=self._workshop.clock.now_ns(),
        )
        if isinstance(job.source, QuarantineSource):
            # Rows of open intents may be stored already: no other replay may have them.
            opened = self._open_intents(job.id)
            self._workshop.store.quarantine.unclaim(
                job.id, from_position=int(opened[-1].end) if opened else 0
            )
        if isinstance(job.source, UploadedSource) and state is JobState.SUCCEEDED:
            self._drop_upload(job.source.upload_id)
        if not self._open_intents(job.id):
            self._workshop.queries.drop(job)
            self._workshop.drop_feed(self._jobs.get(job.id))
        _log.info("job.ended", job_id=job.id, state=state.value)
