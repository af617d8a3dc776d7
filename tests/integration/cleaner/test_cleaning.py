"""Files through a real cleaner into a real tick store: every row in is accounted for once."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import grpc
import pyarrow as pa
import pytest
from pyarrow import flight

from tests.support.blemished_trades import SCHEMA, BlemishedTrades, write_blemished_trades
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.api.cleaner.v1.cleaner_service_pb2 import (
    UploadHeader,
    UploadSourceRequest,
)
from tickmesh.api.cleaner.v1.cleaner_service_pb2_grpc import CleanerServiceStub
from tickmesh.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.cleaner.conftest import Services
    from tickmesh.ticks import TickClient

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trades(services: Services) -> BlemishedTrades:
    return write_blemished_trades(services.source_root / "trades.csv", rows=70_000, seed=11)


@pytest.fixture
def subject(services: Services) -> str:
    name = f"ticks.t{uuid.uuid4().hex[:8]}"
    services.registry.register(name, SCHEMA)
    return name


def finish(services: Services, job: job_pb2.Job) -> job_pb2.Job:
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    return job


def stored_rows(ticks: TickClient, dataset: str) -> list[tuple[object, ...]]:
    table = ticks.read(dataset)
    columns = [
        table["ts"].cast(pa.int64()).to_pylist(),
        table["symbol"].to_pylist(),
        table["price"].to_pylist(),
        table["size"].to_pylist(),
    ]
    return list(zip(*columns, strict=True))


def test_the_balance_holds_and_the_stores_agree_with_it(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))

    balance = job.balance
    assert (balance.rows_in, balance.stored) == (trades.rows, len(trades.good))
    assert balance.quarantined == trades.bad_rows
    assert balance.duplicates == 0
    assert balance.holds
    assert stored_rows(services.ticks, subject) == list(trades.good)
    assert services.cleaner.audit(job.id) == balance


def test_rows_stored_twice_are_seen_by_an_audit(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    """Whoever sends a job's rows once more as its producer upsets its account, and only its own."""
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))
    rows = services.ticks.read(subject, limit=2)
    services.ticks.put(subject, rows)
    assert services.cleaner.audit(job.id) == job.balance
    with services.ticks.writer(subject, producer_id=job.producer_id) as writer:
        writer.put(rows)
    audited = services.cleaner.audit(job.id)
    assert audited.stored == job.balance.stored + 2
    assert not audited.holds


def test_every_bad_row_is_kept_with_its_bytes_its_place_and_all_its_reasons(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))

    rows = services.cleaner.list_quarantine(
        job_pb2.QuarantineFilter(job_id=job.id), limit=trades.rows
    )
    content = trades.path.read_bytes()
    lines = content.split(b"\n")
    codes: Counter[str] = Counter()
    for row in rows:
        assert content[row.offset : row.offset + len(row.raw)] == row.raw
        assert lines[row.line - 1] == row.raw
        codes.update({reason.code for reason in row.reasons})
    assert len(rows) == trades.bad_rows
    assert codes == trades.reasons
    described = services.cleaner.describe_quarantine(job_pb2.QuarantineFilter(job_id=job.id))
    assert {reason.code: reason.rows for reason in described.reasons} == dict(trades.reasons)
    (both,) = [reason for reason in described.reasons if reason.code == "ENUM"]
    assert json.loads(both.examples[0].document)["price"] == "abc"


def test_cleaning_a_file_twice_stores_nothing_twice_unless_asked(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    first = finish(services, services.cleaner.create_job(subject, path=trades.path))
    second = finish(services, services.cleaner.create_job(subject, path=trades.path))

    assert (second.balance.stored, second.balance.quarantined) == (0, 0)
    assert second.balance.duplicates == second.balance.rows_in == trades.rows
    assert second.producer_id == first.producer_id
    assert len(stored_rows(services.ticks, subject)) == len(trades.good)

    third = finish(services, services.cleaner.create_job(subject, path=trades.path, again=True))
    assert third.balance.stored == len(trades.good)
    assert len(stored_rows(services.ticks, subject)) == 2 * len(trades.good)
    assert services.cleaner.audit(third.id) == third.balance


def test_the_same_request_id_answers_the_same_job(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    jobs = {
        services.cleaner.create_job(subject, path=trades.path, request_id=f"once-{subject}").id
        for _ in range(3)
    }
    assert len(jobs) == 1


def test_an_uploaded_file_is_cleaned_like_one_the_cleaner_sees(
    services: Services, trades: BlemishedTrades, subject: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_bytes(trades.path.read_bytes())
    with pytest.raises(NotFoundError) as refused:
        services.cleaner.create_job(subject, path=elsewhere)
    assert refused.value.reason == "SOURCE_NOT_FOUND"
    assert str(tmp_path) not in str(refused.value)

    upload_id = services.cleaner.upload(elsewhere)
    job = finish(services, services.cleaner.create_job(subject, upload_id=upload_id))
    assert job.balance.stored == len(trades.good)
    # It was cleaned whole: the spool is free again.
    with pytest.raises(NotFoundError) as gone:
        services.cleaner.create_job(subject, upload_id=upload_id)
    assert gone.value.reason == "UPLOAD_NOT_FOUND"
    # The content is the same, so the file at its other place is a duplicate.
    again = finish(services, services.cleaner.create_job(subject, path=trades.path))
    assert again.balance.duplicates == trades.rows


def test_what_passes_a_replay_is_stored_once_and_released(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))
    looser = json.loads(SCHEMA)
    del looser["properties"]["price"]["exclusiveMinimum"]
    services.registry.register(subject, json.dumps(looser))
    of_job = job_pb2.QuarantineFilter(job_id=job.id)

    replay = finish(services, services.cleaner.replay_quarantine(of_job))
    released = trades.reasons["EXCLUSIVE_MINIMUM"]
    assert (replay.balance.stored, replay.balance.quarantined) == (
        released,
        trades.bad_rows - released,
    )
    assert replay.balance.holds
    assert services.cleaner.audit(replay.id) == replay.balance
    assert len(stored_rows(services.ticks, subject)) == len(trades.good) + released

    free = job_pb2.QuarantineFilter(job_id=job.id, state=job_pb2.QUARANTINE_STATE_RELEASED)
    rows = services.cleaner.list_quarantine(free, limit=trades.rows)
    assert {row.replay_job_id for row in rows} == {replay.id}
    assert len(rows) == released
    held = services.cleaner.list_quarantine(of_job, limit=trades.rows)
    assert len(held) == trades.bad_rows - released
    assert {row.job_id for row in held} == {job.id}

    second = finish(services, services.cleaner.replay_quarantine(of_job))
    assert second.balance.stored == 0
    assert len(stored_rows(services.ticks, subject)) == len(trades.good) + released


def test_a_mended_source_spec_releases_records_that_could_not_be_decoded(
    services: Services, subject: str
) -> None:
    path = services.source_root / f"{subject}.csv"
    path.write_text('ts,symbol,price,size\n1,AIG,1.5,3\n2,"AIG,2.5,4\n3,IBM,3.5,5\n')
    job = finish(services, services.cleaner.create_job(subject, path=path))
    assert job.balance.holds
    assert job.balance.quarantined == 1
    mended = 'format = "csv"\n[csv]\nquote = ""\n'
    replay = finish(
        services,
        services.cleaner.replay_quarantine(
            job_pb2.QuarantineFilter(job_id=job.id), source_spec=mended
        ),
    )
    assert replay.balance.holds


def test_quarantined_rows_are_read_with_plain_pyarrow(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))
    address = services.mesh.addresses["cleaner"]["flight"]
    with flight.connect(f"grpc://{address}") as client:
        for second in (job.id, subject):
            info = client.get_flight_info(flight.FlightDescriptor.for_path("quarantine", second))
            table = client.do_get(info.endpoints[0].ticket).read_all()
            assert table.num_rows == info.total_records == trades.bad_rows
            assert set(table["job_id"].to_pylist()) == {job.id}
        paths = {tuple(found.descriptor.path or ()) for found in client.list_flights()}
        assert {(b"quarantine",), (b"quarantine", job.id.encode())} <= paths
        with pytest.raises(flight.FlightServerError, match="ticket"):
            client.do_get(flight.Ticket(b"forged")).read_all()


def test_a_source_that_is_cut_off_fails_before_a_row_of_it_is_forwarded(
    services: Services, trades: BlemishedTrades, subject: str
) -> None:
    import gzip

    path = services.source_root / f"{subject}.csv.gz"
    path.write_bytes(gzip.compress(trades.path.read_bytes())[:-20_000])
    job = services.cleaner.create_job(subject, path=path)
    for moment in services.cleaner.watch_job(job.id, progress_seconds=0.1):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_FAILED
    assert job.error_reason == "SOURCE_UNREADABLE"
    assert "nothing of it was stored" in job.message
    assert (job.balance.rows_in, job.balance.stored) == (0, 0)
    assert services.cleaner.audit(job.id) == job.balance


def test_refusals_say_what_to_do(services: Services, trades: BlemishedTrades, subject: str) -> None:
    with pytest.raises(NotFoundError, match="infer and register"):
        services.cleaner.create_job("ticks.unknown", path=trades.path)
    with pytest.raises(InvalidArgumentError) as wrong:
        services.cleaner.create_job(subject, path=trades.path, source_spec='format = "xml"')
    assert wrong.value.reason == "INVALID_SOURCE_SPEC"
    with pytest.raises(NotFoundError) as empty:
        services.cleaner.replay_quarantine(job_pb2.QuarantineFilter(job_id="nobody"))
    assert empty.value.reason == "QUARANTINE_EMPTY"
    job = finish(services, services.cleaner.create_job(subject, path=trades.path))
    with pytest.raises(FailedPreconditionError, match="nothing to cancel"):
        services.cleaner.cancel_job(job.id)


def test_an_upload_goes_on_where_it_broke_off_and_is_checked(services: Services) -> None:
    content = b"ts,symbol,price,size\n" * 100
    with grpc.insecure_channel(services.mesh.addresses["cleaner"]["grpc"]) as channel:
        stub = CleanerServiceStub(channel)

        def send(
            *parts: UploadSourceRequest,
        ) -> Any:  # a future that is a call: the stubs have no word for it
            return stub.UploadSource.future(iter(parts))

        header = UploadHeader(file_name="part.csv")
        first = send(UploadSourceRequest(header=header), UploadSourceRequest(chunk=content[:1_000]))
        with pytest.raises(grpc.RpcError, match="without its digest"):
            first.result()
        header.upload_id = dict(first.initial_metadata())["x-upload-id"]
        with pytest.raises(grpc.RpcError, match="goes on at offset 1000, not 0"):
            send(UploadSourceRequest(header=header)).result()

        header.offset = 1_000
        digest = UploadSourceRequest(sha256=hashlib.sha256(content).hexdigest())
        rest = UploadSourceRequest(chunk=content[1_000:])
        answer = send(UploadSourceRequest(header=header), rest, digest).result()
        assert (answer.upload_id, answer.size_bytes) == (header.upload_id, len(content))

        fresh = UploadSourceRequest(header=UploadHeader(file_name="part.csv"))
        with pytest.raises(grpc.RpcError, match="SHA-256"):
            send(fresh, rest, digest).result()
