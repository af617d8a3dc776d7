"""Users' libraries alone: nothing of the mesh is imported where these scripts run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.support.mesh import program

pytestmark = pytest.mark.integration


def run_alone(script: str, *arguments: str) -> str:
    """Runs a script in a process that cannot import anything of ours; returns what it printed."""
    guard = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0].startswith('tickmesh'):\n"
        "            raise ImportError('the mesh is not installed here')\n"
        "sys.meta_path.insert(0, Refuse())\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", guard + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_t6_a_pandas_frame_comes_back_equal(flight_address: str, subject: str) -> None:
    printed = run_alone(
        """
        import sys
        import pandas as pd, pyarrow as pa
        from pyarrow import flight
        address, subject = sys.argv[1:]
        frame = pd.DataFrame({
            "ts": pd.to_datetime([1, 1723161255030314667, 1723161255088169167], utc=True),
            "symbol": pd.Categorical(["AAPL", "IBM", "AAPL"]),
            "price": [1.5, 0.1, 3.0],
            "size": [100, 200, 2**53 + 1],
            "note": ["a", None, "c"],
        })
        client = flight.connect("grpc://" + address)
        path = flight.FlightDescriptor.for_path(subject)
        table = pa.Table.from_pandas(frame)
        writer, _ = client.do_put(path, table.schema)
        writer.write_table(table)
        writer.close()
        info = client.get_flight_info(path)
        got = client.do_get(info.endpoints[0].ticket).read_all().to_pandas()
        for name in ("symbol", "note"):
            got[name], frame[name] = got[name].astype("string"), frame[name].astype("string")
        got["ts"] = got["ts"].astype(frame["ts"].dtype)
        pd.testing.assert_frame_equal(got, frame)
        print("equal")
        """,
        flight_address,
        subject,
    )
    assert printed == "equal\n"


def test_t6_a_polars_frame_comes_back_equal(flight_address: str, subject: str) -> None:
    printed = run_alone(
        """
        import sys
        import polars as pl
        from datetime import datetime, timezone
        from pyarrow import flight
        address, subject = sys.argv[1:]
        frame = pl.DataFrame({
            "price": [1.5, 0.1],
            "ts": [datetime(2024, 8, 8, 9, 30, 0, 123456, tzinfo=timezone.utc)] * 2,
            "symbol": ["AAPL", "MSFT"],
            "size": [100, 200],
            "note": ["a", None],
        })
        client = flight.connect("grpc://" + address)
        path = flight.FlightDescriptor.for_path(subject)
        table = frame.to_arrow()
        writer, _ = client.do_put(path, table.schema)
        writer.write_table(table)
        writer.close()
        info = client.get_flight_info(path)
        got = pl.from_arrow(client.do_get(info.endpoints[0].ticket).read_all())
        got = got.select(frame.columns).with_columns(
            pl.col("symbol").cast(pl.String), pl.col("ts").cast(pl.Datetime("us", "UTC")))
        assert got.equals(frame), (got, frame)
        print("equal")
        """,
        flight_address,
        subject,
    )
    assert printed == "equal\n"


def test_naive_pandas_times_are_refused_with_the_line_that_mends_them(
    flight_address: str, subject: str
) -> None:
    printed = run_alone(
        """
        import sys
        import pandas as pd, pyarrow as pa
        from google.rpc import status_pb2, error_details_pb2
        from pyarrow import flight
        address, subject = sys.argv[1:]
        frame = pd.DataFrame({
            "ts": pd.to_datetime(["2024-08-08T09:30"]), "symbol": ["IBM"], "price": [1.0],
            "size": [1], "note": ["n"],
        })
        table = pa.Table.from_pandas(frame)
        client = flight.connect("grpc://" + address)
        writer, _ = client.do_put(flight.FlightDescriptor.for_path(subject), table.schema)
        try:
            writer.write_table(table)
            writer.close()
        except flight.FlightError as error:
            status = status_pb2.Status.FromString(error.extra_info)
            info = error_details_pb2.ErrorInfo()
            assert any(detail.Unpack(info) for detail in status.details)
            print(info.reason)
            print(status.message)
        """,
        flight_address,
        subject,
    )
    reason, message = printed.splitlines()
    assert reason == "NAIVE_TIMESTAMP"
    assert 'df["ts"] = df["ts"].dt.tz_localize("UTC")' in message


def test_t6_a_client_in_go_puts_gets_and_reads_the_refusal(
    flight_address: str, subject: str
) -> None:
    """Arrow's public Go package alone: ns times, a dictionary that is replaced, the typed error."""
    done = subprocess.run(
        [program("ticks-go"), flight_address, subject],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["received"] == told["sent"]
    assert [row["ts"] % 1_000_000_000 for row in told["sent"]] == list(range(123456789, 123456793))
    refused = told["refused"]
    assert (refused["code"], refused["reason"]) == ("InvalidArgument", "ROWS_REFUSED")
    assert "price" in refused["message"]
    assert refused["metadata"]["rowsStored"] == "0"
