"""Bad input and absent services, from the command line: what is wrong, what to do, the exit code.

Whatever comes, nothing acknowledged is lost: the rows before the damage are stored or quarantined.
"""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.support.command_line import CommandLine, assert_fit_for_users
from tickmesh_serving.listening import hold_port
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

DONE, FAILURE, USAGE, FINDINGS, UNAVAILABLE, BAD_CONFIGURATION = 0, 1, 2, 3, 69, 78

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string", "pattern": "^[A-Z]+$"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "size": {"type": "integer", "minimum": 1},
    },
    "required": ["ts", "symbol", "price", "size"],
}
ROWS = 5_000
HEADER = "ts,symbol,price,size"


def row(number: int) -> str:
    """A good row; its price says which it is, its size keeps gzip busy."""
    minute, second = divmod(number % 3600, 60)
    size = number * 7_919 % 99_991 + 1
    return f"2024-01-02T10:{minute:02}:{second:02}Z,AIG,{number + 1}.5,{size}"


def csv(*, rows: int = ROWS) -> bytes:
    """A CSV file of good rows."""
    return "\n".join([HEADER, *map(row, range(rows)), ""]).encode()


@dataclass(frozen=True)
class Services:
    """A mesh that runs, and the command line that finds it."""

    mesh: Mesh
    tickmesh: CommandLine
    directory: Path

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file the user has and the cleaner cannot see."""
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def stored(self, dataset: str) -> pa.Table:
        """All rows of a dataset, as any Flight client reads them."""
        with flight.connect(f"grpc://{self.mesh.addresses['tickstore']['flight']}") as client:
            info = client.get_flight_info(flight.FlightDescriptor.for_path(dataset))
            parts = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
        return pa.concat_tables(parts)

    def audited(self, job_id: str) -> dict[str, object]:
        """A job's balance, recomputed from the stores."""
        audited = self.tickmesh.run("job", "balance", job_id, "--output=json")
        assert audited.code == DONE, audited.text
        found = json.loads(audited.out)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home, directory = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("user")
    with Mesh(home, free_ports=True) as mesh:
        yield Services(mesh, CommandLine(mesh.client_environment, directory), directory)


@pytest.fixture
def subject(services: Services, request: pytest.FixtureRequest) -> str:
    """A registered subject of the test's own."""
    name = f"ticks.{request.node.name.removeprefix('test_')[:60]}"
    schema = services.write(f"{name}.json", json.dumps(SCHEMA))
    registered = services.tickmesh.run("schema", "register", name, schema)
    assert registered.code == DONE, registered.text
    return name


def ended_job(output: str) -> dict[str, object]:
    """The last moment that `--output json` printed: the ended job."""
    found = json.loads(output.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_a_missing_file_is_a_usage_error(services: Services, subject: str) -> None:
    """Neither a file, nor a match, nor a directory that has one."""
    (services.directory / "without").mkdir()
    services.write("without/.hidden.csv", csv(rows=1))
    for given in ("missing.csv", "*.missing", "without"):
        missing = services.tickmesh.run("clean", given, "--subject", subject)
        assert missing.code == USAGE
        assert f"there is no file '{given}'" in missing.err
        assert "name a file that is there, a directory with files, or a pattern" in missing.err
        assert "tickmesh clean --help" in missing.err


def test_an_unknown_subject_names_the_commands_that_make_it_known(services: Services) -> None:
    file = services.write("unknown.csv", csv(rows=3))
    unknown = services.tickmesh.run("clean", file, "--subject", "ticks.nobody")
    assert unknown.code == FAILURE
    assert "the registry knows no subject 'ticks.nobody'" in unknown.err
    assert "tickmesh schema infer" in unknown.err
    assert "tickmesh schema register" in unknown.err
    assert "sending it" not in unknown.err


def test_a_wrong_delimiter_is_named_with_the_setting_that_mends_it(
    services: Services, subject: str
) -> None:
    file = services.write("semicolons.csv", csv().replace(b",", b";"))
    spec = services.write("commas.toml", 'format = "csv"\n[csv]\ndelimiter = ","\n')
    wrong = services.tickmesh.run("clean", file, "--subject", subject, "--source", spec)
    assert wrong.code == FAILURE
    assert "with the delimiter ',' in 'ts;symbol;price;size'" in wrong.out
    assert 'set `delimiter = ";"` of [csv]' in wrong.out
    assert wrong.text.count("WRONG_DELIMITER") == 1

    # What it says to do leads to the end, and so does letting the cleaner look for itself.
    spec.write_text('format = "csv"\n[csv]\ndelimiter = ";"\n', encoding="utf-8")
    mended = services.tickmesh.run("clean", file, "--subject", subject, "--source", spec)
    assert mended.code == DONE, mended.text
    assert services.stored(subject).num_rows == ROWS
    assert services.tickmesh.run("clean", file, "--subject", subject).code == DONE


def test_a_truncated_gzip_stores_nothing_and_the_whole_file_every_row_once(
    services: Services, subject: str
) -> None:
    """The head of a cut file must not be stored: the whole file, fetched later, brings it again."""
    packed = gzip.compress(csv())
    file = services.write("cut.csv.gz", packed[: len(packed) * 2 // 3])
    cut = services.tickmesh.run("clean", file, "--subject", subject, "--output=json")
    assert cut.code == FAILURE
    job = ended_job(cut.out)
    message = str(job["message"])
    assert "cut.csv.gz is damaged from unpacked byte" in message
    assert "TRUNCATED" in message
    assert "fetch the file again" in message
    assert "nothing of it was stored" in message
    assert job["balance_holds"]
    assert (job["rows_in"], job["stored"]) == (0, 0)

    file.write_bytes(packed)
    whole = services.tickmesh.run("clean", file, "--subject", subject, "--output=json")
    assert whole.code == DONE, whole.text
    assert ended_job(whole.out)["stored"] == ROWS
    stored = services.stored(subject)
    assert stored.column("price").to_pylist() == [n + 1.5 for n in range(ROWS)]

    # The same content without its packing is the same source.
    plain = services.write("whole.csv", csv())
    again = services.tickmesh.run("clean", plain, "--subject", subject, "--output=json")
    assert ended_job(again.out)["duplicates"] == ROWS
    assert services.stored(subject).num_rows == ROWS


def test_rows_of_invalid_utf8_are_quarantined_with_their_bytes(
    services: Services, subject: str
) -> None:
    lines = csv().split(b"\n")
    lines[10] = b"2024-01-02T10:00:00Z,\xff\xfeAB,1.5,2"
    lines[2_000] = b"\xc3\x28"
    file = services.write("bytes.csv", b"\n".join(lines))
    found = services.tickmesh.run("clean", file, "--subject", subject)
    assert found.code == FINDINGS, found.text
    (hint,) = [line for line in found.out.splitlines() if line.startswith("next: ")]
    arguments = hint.removeprefix("next: tickmesh ").split()
    assert arguments[:2] == ["quarantine", "describe"]

    described = services.tickmesh.run(*arguments)
    assert described.code == DONE
    assert "2 rows" in described.out
    assert "BAD_UTF8" in described.out
    assert r"\xff\xfeAB" in described.out
    assert services.stored(subject).num_rows == ROWS - 2
    audited = services.audited(arguments[-1])
    assert (audited["rows_in"], audited["stored"], audited["quarantined"]) == (ROWS, ROWS - 2, 2)
    assert audited["balance_holds"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "the source is empty"),
        ("torn.parquet", b"PAR1" + bytes(100) + b"PAR1", "not a whole Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_a_failure(
    services: Services, name: str, content: bytes, message: str
) -> None:
    schema = services.write("schema.json", json.dumps(SCHEMA))
    assert services.tickmesh.run("schema", "register", "ticks.unreadable", schema).code == DONE
    file = services.write(name, content)
    unreadable = services.tickmesh.run("clean", file, "--subject", "ticks.unreadable")
    assert unreadable.code == FAILURE
    assert f"{name} cannot be read: " in unreadable.text
    assert message in unreadable.text
    inferred = services.tickmesh.run("schema", "infer", file)
    assert inferred.code == FAILURE
    assert inferred.err.startswith(f"error: {name} cannot be read: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{nope", "the text is not JSON"),
        (b"[1]", "a schema is a JSON object"),
        (b'{"type": "nonsense"}', '"nonsense" is not valid'),
        (b'{"type": "object", "type": "object"}', "the key 'type' occurs twice"),
        (b'{"$ref": "#/$defs/trade"}', "there is no '$defs'"),
        (b'{"type": "string"}', "the root admits no object"),
        (b"\xff\xfe\x00", "expected UTF-8 text in no_schema.json, byte 0 is none"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(
    services: Services, content: bytes, message: str
) -> None:
    file = services.write("no_schema.json", content)
    refused = services.tickmesh.run("schema", "register", "ticks.none", file)
    assert refused.code == FAILURE
    assert refused.err.startswith("error: ")
    assert refused.err.count(message) == 1
    assert services.tickmesh.run("schema", "get", "ticks.none").code == FAILURE


def test_errors_are_json_for_programs(services: Services) -> None:
    refused = services.tickmesh.run("job", "get", "nobody", "--output=json")
    assert refused.code == FAILURE
    error = json.loads(refused.err)["error"]
    assert (error["code"], error["reason"]) == ("NOT_FOUND", "JOB_NOT_FOUND")
    assert error["next_command"] == "tickmesh job list"


def test_a_source_spec_that_is_none_is_refused_before_a_row_is_read(
    services: Services, subject: str
) -> None:
    file = services.write("good.csv", csv(rows=3))
    for content, message in (
        (b"format = 1", "format"),
        (b"{", "not TOML"),
        (b"\xff", "expected UTF-8 text in wrong.toml, byte 0 is none"),
    ):
        spec = services.write("wrong.toml", content)
        refused = services.tickmesh.run("clean", file, "--subject", subject, "--source", spec)
        assert refused.code == FAILURE
        assert message in refused.err
    assert services.tickmesh.run("job", "list", "--subject", subject).out == "no such job\n"


def test_a_flight_put_of_wrong_columns_is_refused_in_googles_terms(
    services: Services, subject: str
) -> None:
    table = pa.table({"ts": [1], "symbol": ["AIG"], "cost": [1.5], "size": ["many"]})
    with flight.connect(f"grpc://{services.mesh.addresses['tickstore']['flight']}") as client:
        writer, _ = client.do_put(flight.FlightDescriptor.for_path(subject), table.schema)
        with suppress(flight.FlightError):
            # The schema alone is at fault: the refusal can be there before the rows are.
            writer.write_table(table)
        with pytest.raises(flight.FlightError) as refused:
            writer.close()
    status = status_pb2.Status.FromString(refused.value.extra_info)
    info, violations = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert any(detail.Unpack(info) for detail in status.details)
    assert any(detail.Unpack(violations) for detail in status.details)
    assert (info.domain, info.reason) == ("tickmesh", "WRONG_COLUMNS")
    named = " ".join(f"{each.field} {each.description}" for each in violations.field_violations)
    assert all(name in named for name in ("cost", "size", "price"))
    assert_fit_for_users(status.message + named, home=str(services.mesh.home))


@pytest.mark.parametrize("ending", ["csv", "arrow", "parquet"])
def test_a_full_disk_under_rows_that_are_read_leaves_no_file_and_is_said(
    services: Services, subject: str, tmp_path: Path, ending: str
) -> None:
    file = services.write("good.csv", csv(rows=1))
    put = services.tickmesh.run("ticks", "put", file, "--subject", subject)
    assert put.code == 0, put.err
    out = tmp_path / f"out.{ending}"
    # Rows go into a hidden file until all are there; this one is on a device that is always full.
    (tmp_path / f".out.{ending}.partial").symlink_to("/dev/full")
    failed = services.tickmesh.run("ticks", "get", subject, "--out", out)
    assert failed.code == FAILURE
    assert f"out.{ending}: No space left on device" in failed.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("subject")
def test_output_that_goes_nowhere_is_said(services: Services) -> None:
    for output in ("table", "json"):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            failed = services.tickmesh.run("schema", "list", "--output", output, stdout=full)
        assert failed.code == FAILURE
        assert "the output cannot be written: No space left on device" in failed.err
        assert "make room" in failed.err


def test_a_port_in_use_is_bad_configuration_that_names_the_key(
    services: Services, tmp_path: Path
) -> None:
    port = services.mesh.addresses["registry"]["grpc"].rpartition(":")[2]
    command = ("registry", "serve", "--data", tmp_path, "--grpc-port", port, "--http-port", "0")
    second = services.tickmesh.run(*command)
    assert second.code == BAD_CONFIGURATION
    (error,) = [line for line in second.err.splitlines() if line.startswith("error: ")]
    assert f"registry.serving.grpc_port: port {port} of 127.0.0.1 is in use" in error
    assert "set another port" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("schema", "list"),
        ("clean", "good.csv", "--subject", "ticks.any"),
        ("job", "list"),
        ("job", "watch", "any"),
        ("quarantine", "describe"),
        ("ticks", "list"),
        ("ticks", "get", "ticks.any"),
    ],
    ids=" ".join,
)
def test_services_that_are_down_are_said_to_be_with_the_command_that_starts_them(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "good.csv").write_bytes(csv(rows=3))
    with refusing_port() as port:
        names = ("REGISTRY", "CLEANER", "CLEANER_FLIGHT", "TICKSTORE", "TICKSTORE_FLIGHT")
        addresses = {f"TICKMESH_CLIENT__{name}": f"127.0.0.1:{port}" for name in names}
        home = {"TICKMESH_HOME": str(tmp_path / "home")}
        down = CommandLine(home | addresses, tmp_path).run(*arguments)
    assert down.code == UNAVAILABLE
    assert down.err.startswith(f"error: no answer from 127.0.0.1:{port}")
    assert down.err.endswith("try: tickmesh up\n")
    assert not down.out


def test_cleaner_and_tick_store_wait_for_a_registry_and_go_on_by_themselves(
    tmp_path: Path,
) -> None:
    file, schema = tmp_path / "early.csv", tmp_path / "schema.json"
    file.write_bytes(csv())
    schema.write_text(json.dumps(SCHEMA), encoding="utf-8")
    with Mesh(tmp_path / "home", services=("registry",), free_ports=True) as first:
        before = CommandLine(first.client_environment, tmp_path)
        registered = before.run("schema", "register", "ticks.early", schema)
        assert registered.code == DONE, registered.text
    with refusing_port() as port:
        settings = {
            "client.registry": f"127.0.0.1:{port}",
            "cleaner.sources.roots": str(tmp_path),
        }
        rest = Mesh(
            tmp_path / "home",
            free_ports=True,
            services=("tickstore", "cleaner"),
            settings=settings,
        )
        rest.start(timeout_seconds=200)
        cleaning = None
        try:
            tickmesh = CommandLine(
                {**rest.client_environment, "TICKMESH_CLIENT__REGISTRY": f"127.0.0.1:{port}"},
                tmp_path,
            )
            cleaning = tickmesh.start("clean", file, "--subject", "ticks.early")
            assert cleaning.stderr is not None
            waiting = next(line for line in cleaning.stderr if line.startswith("waiting: "))
            assert "the registry does not answer" in waiting
            assert "the job goes on by itself" in waiting
            assert_fit_for_users(waiting, home=str(rest.home))
            ports = {"registry.serving.grpc_port": str(port), "registry.serving.http_port": "0"}
            with Mesh(rest.home, services=("registry",), settings=ports):
                out, err = cleaning.communicate(timeout=200)
            assert cleaning.returncode == DONE, out + err
            assert f"= {ROWS:,} stored + 0 quarantined" in out
        finally:
            rest.stop()
            if cleaning is not None:
                cleaning.kill()
                cleaning.communicate()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody is given; who is told of it may listen on it."""
    with hold_port() as held:
        yield held.getsockname()[1]
