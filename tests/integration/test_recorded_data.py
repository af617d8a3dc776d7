"""The recorded market data through a whole mesh: what is stored is what the files hold.

The counts are those of the README beside the files, taken there by scanning every row. Here they
are taken again from the stored rows, read back with nothing but pyarrow.
"""

from __future__ import annotations

import gzip
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import flight

from tests.support.decoding import EXAMPLES
from tests.support.shared_data import shared_folder
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.decoding.inference import infer
from tickmesh.registry import RegistryClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.real_data]

SAMPLE_RECORDS = 2_000
STREAM = "binance_usdm_btcusdt_stream_20240808.log.gz"


@dataclass(frozen=True)
class Recorded:
    """A recorded file as one source spec reads it."""

    spec: str
    """Name of the spec under examples/sources."""
    subject: str
    file: str
    records: int
    rows: int
    skipped: Mapping[str, int] = field(default_factory=dict)


SOURCES = (
    Recorded(
        "ticks.us_equity.quotes",
        "ticks.us_equity.quotes",
        "us_equity_aig_quotes_20131009.csv.gz",
        records=1_424_012,
        rows=1_424_012,
    ),
    Recorded(
        "ticks.us_equity.trades",
        "ticks.us_equity.trades",
        "us_equity_aig_trades_20131009.csv.gz",
        records=52_008,
        rows=52_008,
    ),
    Recorded(
        "ticks.crypto.quotes.tardis",
        "ticks.crypto.quotes",
        "tardis_binance_futures_btcusdt_quotes_20200222.csv",
        records=9_999,
        rows=9_999,
    ),
    Recorded(
        "ticks.crypto.trades.tardis",
        "ticks.crypto.trades",
        "tardis_binance_futures_btcusdt_trades_20200222.csv",
        records=9_999,
        rows=9_999,
    ),
    Recorded(
        "ticks.crypto.quotes.binance_stream",
        "ticks.crypto.quotes",
        STREAM,
        records=93_954,
        rows=66_089,
        skipped={"trade": 21_313, "depth_update": 6_551, "snapshot": 1},
    ),
    Recorded(
        "ticks.crypto.trades.binance_stream",
        "ticks.crypto.trades",
        STREAM,
        records=93_954,
        rows=21_313,
        skipped={"book_ticker": 66_089, "depth_update": 6_551, "snapshot": 1},
    ),
    Recorded(
        "ticks.crypto.book.binance_stream",
        "ticks.crypto.book",
        STREAM,
        records=93_954,
        rows=445_521,
        skipped={"book_ticker": 66_089, "trade": 21_313},
    ),
    Recorded(
        "ticks.fx.quotes",
        "ticks.fx.quotes",
        "fx_eurusd_quotes_20200130_31.parquet",
        records=99_308,
        rows=99_308,
    ),
)


@dataclass(frozen=True)
class Services:
    """A mesh that runs, clients of it, and the jobs that cleaned the recorded files."""

    mesh: Mesh
    registry: RegistryClient
    cleaner: CleanerClient
    market_data: Path
    sample_root: Path
    jobs: dict[str, job_pb2.Job] = field(default_factory=dict)

    def clean(self, source: Recorded) -> job_pb2.Job:
        """Clean a recorded file to its end."""
        spec = (EXAMPLES / f"{source.spec}.source.toml").read_text(encoding="utf-8")
        path = self.market_data / source.file
        return self.finish(self.cleaner.create_job(source.subject, path=path, source_spec=spec))

    def finish(self, job: job_pb2.Job) -> job_pb2.Job:
        """Follow a job to its end."""
        for moment in self.cleaner.watch_job(job.id, progress_seconds=0.1):
            job = moment.job
        return job


@pytest.fixture(name="services", scope="module")
def cleaned_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A mesh that has cleaned all the recorded files."""
    market_data = shared_folder("market-data")
    home, samples = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("samples")
    settings = {"cleaner.sources.roots": f"{market_data},{samples}"}
    with Mesh(home, free_ports=True, settings=settings) as mesh:
        config = load_client_config(home=home, environ=mesh.client_environment)
        with (
            RegistryClient(config=config) as registry,
            CleanerClient(config=config) as cleaner,
        ):
            services = Services(mesh, registry, cleaner, market_data, samples)
            for subject in {source.subject for source in SOURCES}:
                text = (EXAMPLES / f"{subject}.schema.json").read_text(encoding="utf-8")
                registry.register(subject, text)
            services.jobs.update({source.spec: services.clean(source) for source in SOURCES})
            yield services


class StoredTicks:
    """The rows of the tick store in order of arrival, as any Flight client reads them."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._read: dict[str, pl.DataFrame] = {}

    def rows(self, dataset: str) -> pl.DataFrame:
        """All rows of a dataset; read once, then kept."""
        if dataset not in self._read:
            self._read[dataset] = self.read(dataset)
        return self._read[dataset]

    def read(self, dataset: str) -> pl.DataFrame:
        """All rows of a dataset as it is now."""
        with flight.connect(f"grpc://{self._address}") as client:
            info = client.get_flight_info(flight.FlightDescriptor.for_path(dataset))
            parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
        frame = pl.from_arrow(pa.concat_tables(parts))
        assert isinstance(frame, pl.DataFrame)
        return frame


@pytest.fixture(scope="module")
def stored(services: Services) -> StoredTicks:
    return StoredTicks(services.mesh.addresses["tickstore"]["flight"])


@pytest.fixture(params=SOURCES, ids=lambda source: source.spec)
def source(request: pytest.FixtureRequest) -> Recorded:
    assert isinstance(request.param, Recorded)
    return request.param


def duplicates(rows: pl.DataFrame) -> int:
    """Rows that equal an earlier one whole."""
    return rows.height - rows.n_unique()


def repeats(column: pl.Series) -> int:
    """Values that stood in an earlier row."""
    return len(column) - column.n_unique()


def steps_back(column: pl.Series) -> int:
    """Values smaller than the one before."""
    return int((column.diff().dt.total_nanoseconds() < 0).sum())


def outside_session(rows: pl.DataFrame) -> int:
    """Rows before 09:30 or after 16:00 in New York."""
    local = pl.col("ts").dt.convert_time_zone("America/New_York").dt.time()
    return rows.filter(~local.is_between(pl.time(9, 30), pl.time(16, 0))).height


def not_below_ask(rows: pl.DataFrame) -> int:
    """Quotes whose bid is above their ask (crossed) or equal to it (locked)."""
    return rows.filter(pl.col("bid_price") >= pl.col("ask_price")).height


def span(rows: pl.DataFrame) -> tuple[str, str]:
    """The first and the last time, in UTC, to the millisecond."""
    times = rows["ts"].sort().dt.strftime("%Y-%m-%d %H:%M:%S%.3f")
    return times[0], times[-1]


def test_every_record_is_stored_or_of_a_kind_the_spec_skips(
    services: Services, source: Recorded
) -> None:
    job = services.jobs[source.spec]
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    balance = job.balance
    assert balance.holds
    assert (balance.records, balance.rows_in) == (source.records, source.rows)
    assert (balance.stored, balance.quarantined, balance.duplicates) == (source.rows, 0, 0)
    assert dict(balance.skipped) == dict(source.skipped)
    assert not balance.extras
    assert services.cleaner.audit(job.id) == balance


def test_cleaning_a_file_twice_stores_nothing_twice(
    services: Services, stored: StoredTicks, source: Recorded
) -> None:
    before = stored.rows(source.subject)
    job = services.clean(source)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    balance = job.balance
    assert balance.holds
    assert (balance.rows_in, balance.stored, balance.duplicates) == (source.rows, 0, source.rows)
    assert services.cleaner.audit(job.id) == balance
    assert stored.read(source.subject).equals(before)


def test_quotes_of_us_equities(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.us_equity.quotes")
    assert rows.height == 1_424_012
    assert rows["bid_price"].null_count() == rows["bid_size"].null_count() == 712_006
    assert rows["ask_price"].null_count() == rows["ask_size"].null_count() == 712_006
    assert rows.filter(pl.col("bid_price").is_null() == pl.col("ask_price").is_null()).is_empty()
    assert duplicates(rows) == 418_270
    assert repeats(rows["ts"]) == 1_078_541
    assert steps_back(rows["ts"]) == 0
    assert outside_session(rows) == 1_356
    assert rows["symbol"].unique().to_list() == ["AIG"]
    assert not rows["suspicious"].any()
    conditions = rows["condition"].value_counts()
    assert dict(conditions.iter_rows()) == {"1": 1_424_008, "8": 2, "800": 2}


def test_quotes_of_us_equities_stay_in_the_order_of_the_file(
    stored: StoredTicks,
) -> None:
    """At the end of a millisecond a venue's own book is crossed as often as in the file."""
    rows = stored.rows("ticks.us_equity.quotes").with_columns(
        pl.col("bid_price", "ask_price").forward_fill().over("exchange")
    )
    last = rows.group_by("ts", maintain_order=True).last()
    assert last.height == 345_471
    assert last.filter(pl.col("bid_price") > pl.col("ask_price")).height == 9_287
    assert last.filter(pl.col("bid_price") == pl.col("ask_price")).height == 28_982


def test_trades_of_us_equities(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.us_equity.trades")
    assert rows.height == 52_008
    assert duplicates(rows) == 9_455
    assert repeats(rows["ts"]) == 19_724
    assert steps_back(rows["ts"]) == 0
    assert rows["size"].max() == 277_500
    assert rows.filter(pl.col("size") % 100 != 0).height == 2_586
    assert outside_session(rows) == 121
    first = rows.head(2).select("price", "size", "exchange", "condition").cast(pl.String)
    assert first.rows() == [
        ("47.9900", "100", "P", "2000"),
        ("48.1000", "200", "P", "2000"),
    ]


def test_quotes_of_tardis(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.crypto.quotes").filter(pl.col("seq").is_null())
    assert rows.height == 9_999
    assert duplicates(rows) == 0
    assert repeats(rows["ts"]) == 416
    assert steps_back(rows["ts"]) == 0
    assert not_below_ask(rows) == 0
    assert span(rows) == ("2020-02-22 00:00:01.096", "2020-02-22 00:03:47.061")
    delay = (rows["received"] - rows["ts"]).dt.total_milliseconds()
    assert (delay.min(), delay.max()) == (114, 2_406)
    first = rows.head(1).select("bid_price", "bid_size", "ask_price", "ask_size").cast(pl.String)
    assert first.rows() == [("9681.92000000", "0.67000000", "9682.00000000", "0.84000000")]


def test_trades_of_tardis(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.crypto.trades").filter(pl.col("kind").is_null())
    assert rows.height == 9_999
    assert duplicates(rows) == 0
    assert repeats(rows["ts"]) == 4_351
    assert steps_back(rows["ts"]) == 0
    assert rows["trade_id"].diff().drop_nulls().unique().to_list() == [1]
    assert span(rows) == ("2020-02-22 00:00:02.111", "2020-02-22 02:05:47.728")


def test_quotes_of_the_recorded_stream(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.crypto.quotes").filter(pl.col("seq").is_not_null())
    assert rows.height == 66_089
    assert duplicates(rows) == 0
    assert not_below_ask(rows) == 0
    assert steps_back(rows["published"]) == 0


def test_trades_of_the_recorded_stream(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.crypto.trades").filter(pl.col("kind").is_not_null())
    assert rows.height == 21_313
    assert repeats(rows["trade_id"]) == 0
    assert steps_back(rows["published"]) == 0
    assert rows.filter((pl.col("price") <= 0) | (pl.col("size") <= 0)).is_empty()


def test_book_of_the_recorded_stream(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.crypto.book").with_columns(pl.col("action", "side").cast(pl.String))
    updates, snapshot = rows.partition_by("action", maintain_order=True)
    assert updates["received"].n_unique() == updates["seq"].n_unique() == 6_551
    assert steps_back(updates["published"]) == 0
    assert snapshot["received"].n_unique() == 1
    assert snapshot["side"].to_list() == ["bid"] * 1_000 + ["ask"] * 1_000


def test_the_streams_can_be_put_together_again(stored: StoredTicks) -> None:
    """By local time the messages are in the order of the file, in which event times step back."""
    messages = pl.concat(
        stored.rows(dataset).drop_nulls("published").select("received", "published").unique()
        for dataset in ("ticks.crypto.quotes", "ticks.crypto.trades", "ticks.crypto.book")
    ).sort("received")
    assert messages.height == 93_954
    assert repeats(messages["received"]) == 0
    assert steps_back(messages["published"]) == 855
    behind = (messages["published"] - messages["received"]).dt.total_milliseconds()
    assert (behind.min(), behind.max()) == (1_181, 1_272)


def test_quotes_of_currencies(stored: StoredTicks) -> None:
    rows = stored.rows("ticks.fx.quotes")
    assert rows.height == 99_308
    assert duplicates(rows) == 0
    assert repeats(rows["ts"]) == 0
    assert steps_back(rows["ts"]) == 0
    assert span(rows) == ("2020-01-30 10:27:51.336", "2020-01-31 16:59:56.198")
    assert rows.filter(rows["ts"].diff() > pl.duration(seconds=60)).height == 8
    assert rows.filter(pl.col("received") != pl.col("ts")).is_empty()
    assert not_below_ask(rows) == 0
    assert rows["bid_size"].unique().to_list() == rows["ask_size"].unique().to_list() == [100_000]
    first = rows.head(2).select("bid_price", "ask_price").cast(pl.String)
    assert first.rows() == [("1.102740", "1.102760"), ("1.102740", "1.102770")]


def write_sample(recorded: Path, sample: Path) -> None:
    """Write the first records of a file as a file of the same kind."""
    if recorded.suffix == ".parquet":
        pq.write_table(pq.read_table(recorded).slice(0, SAMPLE_RECORDS), sample)
        return
    packed = recorded.suffix == ".gz"
    with gzip.open(recorded) if packed else recorded.open("rb") as lines:
        content = b"".join(itertools.islice(lines, SAMPLE_RECORDS))
    sample.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("name", sorted({source.file for source in SOURCES}))
def test_a_sample_is_good_under_what_is_inferred_from_it(services: Services, name: str) -> None:
    sample = services.sample_root / name
    write_sample(services.market_data / name, sample)
    subject = f"inferred.{name.partition('.')[0]}"
    inferred = infer(sample, subject=subject)
    services.registry.register(subject, inferred.schema_text)
    job = services.finish(
        services.cleaner.create_job(subject, path=sample, source_spec=inferred.spec_text)
    )
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    balance = job.balance
    assert balance.holds
    assert balance.quarantined == 0
    assert balance.stored == balance.rows_in > 0
    assert balance.rows_in + sum(balance.skipped.values()) == balance.records
    assert services.cleaner.audit(job.id) == balance
