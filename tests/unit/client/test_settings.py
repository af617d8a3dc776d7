"""Settings: the last source wins, every value knows its source, a typo names its neighbour."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tickmesh.config import ClientConfig, home_directory, load_client_config
from tickmesh.errors import ConfigError
from tickmesh.settings import Secret, describe_config, environment_name, load_config


@dataclass(frozen=True)
class Store:
    url: Secret | None = None
    pool_size: int = 5
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Sample:
    host: str = "127.0.0.1"
    mode: Literal["fast", "safe"] = "safe"
    ratio: float = 0.5
    verbose: bool = False
    limit: int | None = None
    databases: Mapping[str, Secret] = field(default_factory=dict)
    store: Store = field(default_factory=lambda: Store(pool_size=7))

    def __post_init__(self) -> None:
        if self.ratio > 1:
            raise ValueError(f"expected ratio ≤ 1, was {self.ratio}")


def load(
    tmp_path: Path,
    *,
    toml: str = "",
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> tuple[Sample, Mapping[str, str]]:
    path = tmp_path / "tickmesh.toml"
    path.write_text(toml, encoding="utf-8")
    return load_config(
        Sample, section="registry", toml=path, environ=environ or {}, flags=flags or {}
    )


def test_order_is_default_file_environment_flag_and_each_value_knows_its_source(
    tmp_path: Path,
) -> None:
    config, provenance = load(
        tmp_path,
        toml=(
            '[registry]\nhost = "file"\nratio = 0.1\nverbose = true\n'
            '[registry.store]\nroots = ["/a"]\n'
        ),
        environ={"TICKMESH_REGISTRY__RATIO": "0.2", "TICKMESH_REGISTRY__VERBOSE": "false"},
        flags={"verbose": True, "host": None},
    )
    assert (config.host, config.ratio, config.verbose) == ("file", 0.2, True)
    assert config.store == Store(pool_size=7, roots=(Path("/a"),))
    sources = {
        setting.key: setting.source
        for setting in describe_config(config, provenance, section="registry")
    }
    assert sources["registry.mode"] == "default"
    assert sources["registry.host"] == f"file {tmp_path / 'tickmesh.toml'}"
    assert sources["registry.ratio"] == "environment TICKMESH_REGISTRY__RATIO"
    assert sources["registry.verbose"] == "flag"
    assert sources["registry.store.roots"].startswith("file")


@pytest.mark.parametrize(
    ("toml", "environ", "key", "neighbour"),
    [
        ("[registry]\nhots = 1", {}, "registry.hots", "host"),
        ("[registry.store]\npool_sise = 1", {}, "registry.store.pool_sise", "store.pool_size"),
        ("", {"TICKMESH_REGISTRY__STORE__URI": "x"}, "registry.store.uri", "store.url"),
        ("[registy]\n", {}, "registy", "registry"),
    ],
)
def test_unknown_key_is_an_error_that_names_the_nearest(
    tmp_path: Path, toml: str, environ: Mapping[str, str], key: str, neighbour: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml=toml, environ=environ)
    assert caught.value.key == key
    assert f"did you mean {neighbour}?" in caught.value.message


def test_secret_shows_itself_nowhere(tmp_path: Path) -> None:
    config, provenance = load(
        tmp_path,
        environ={
            "TICKMESH_REGISTRY__STORE__URL": "postgresql://u:hunter2@h/d",
            "TICKMESH_REGISTRY__DATABASES__FEED": "hunter2",
        },
    )
    shown = repr(describe_config(config, provenance, section="registry")) + repr(config)
    assert "hunter2" not in shown
    assert config.store.url is not None
    assert config.store.url.reveal().endswith("@h/d")
    assert config.databases["feed"].reveal() == "hunter2"


def test_secret_comes_from_a_file_but_never_from_a_flag(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    by_file, _ = load(
        tmp_path, toml=f'[registry.store]\nurl = {{ file = "{tmp_path / "secret"}" }}'
    )
    by_variable, _ = load(
        tmp_path, environ={"TICKMESH_REGISTRY__STORE__URL__FILE": str(tmp_path / "secret")}
    )
    assert by_file.store.url == by_variable.store.url == Secret("hunter2")
    with pytest.raises(ConfigError, match="never taken from a flag"):
        load(tmp_path, flags={"store.url": "hunter2"})


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("STORE__POOL_SIZE", "many", "expected a whole number, was 'many'"),
        ("VERBOSE", "perhaps", "expected true or false, was 'perhaps'"),
        ("MODE", "quick", "expected one of fast, safe, was 'quick'"),
        ("RATIO", "2", "expected ratio ≤ 1, was 2.0"),
    ],
)
def test_wrong_value_says_what_was_expected_and_what_came(
    tmp_path: Path, variable: str, value: str, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path, environ={f"TICKMESH_REGISTRY__{variable}": value})


def test_other_sections_variables_are_not_read(tmp_path: Path) -> None:
    config, _ = load(tmp_path, environ={"TICKMESH_CLEANER__NONSENSE": "x", "TICKMESH_HOME": "/h"})
    assert config == Sample()


def test_environment_name_is_the_documented_one() -> None:
    assert environment_name("registry", "store.url") == "TICKMESH_REGISTRY__STORE__URL"


def test_client_finds_tickmesh_up_without_any_setting(tmp_path: Path) -> None:
    config = load_client_config(home=tmp_path, environ={})
    assert config == ClientConfig()
    assert (config.registry, config.tickstore_flight) == ("127.0.0.1:7470", "127.0.0.1:7482")


def test_home_is_flag_then_variable_then_the_users_own(tmp_path: Path) -> None:
    assert home_directory(tmp_path, environ={"TICKMESH_HOME": "/other"}) == tmp_path
    assert home_directory(environ={"TICKMESH_HOME": "/other"}) == Path("/other")
    assert home_directory(environ={}) == Path.home() / ".local" / "share" / "tickmesh"


def test_every_setting_has_a_default() -> None:
    for item in dataclasses.fields(ClientConfig):
        assert (item.default, item.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)


@dataclass(frozen=True)
class Table:
    url: Secret
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0:
            raise ValueError("expected timeout_seconds > 0")


@dataclass(frozen=True)
class Named:
    tables: Mapping[str, Table] = field(default_factory=dict)


def load_named(
    tmp_path: Path, *, toml: str = "", environ: Mapping[str, str] | None = None
) -> tuple[Named, Mapping[str, str]]:
    path = tmp_path / "tickmesh.toml"
    path.write_text(toml, encoding="utf-8")
    return load_config(Named, section="cleaner", toml=path, environ=environ or {}, flags={})


def test_tables_of_a_mapping_are_typed_and_merged_by_name(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n")
    config, provenance = load_named(
        tmp_path,
        toml='[cleaner.tables.lake]\nurl = "u"\ntimeout_seconds = 5\n[cleaner.tables.sea]\n'
        f'url = {{ file = "{secret}" }}\n',
        environ={
            "TICKMESH_CLEANER__TABLES__LAKE__TIMEOUT_SECONDS": "7",
            "TICKMESH_CLEANER__TABLES__POND__URL__FILE": str(secret),
        },
    )
    assert config.tables == {
        "lake": Table(Secret("u"), 7.0),
        "sea": Table(Secret("from-file")),
        "pond": Table(Secret("from-file")),
    }
    (shown,) = describe_config(config, provenance, section="cleaner")
    assert "lake=(url ***, timeout_seconds 7.0)" in shown.value
    assert "from-file" not in shown.value


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[cleaner.tables.lake]\nurl = "u"\ntimeout = 3\n', "did you mean tables.lake.timeout_se"),
        ('[cleaner.tables]\nlake = "secret-url"\n', "expected a table"),
        ('[cleaner.tables.lake]\nurl = "u"\ntimeout_seconds = 0\n', "tables.lake"),
        ("[cleaner.tables.lake]\ntimeout_seconds = 3\n", "url"),
    ],
)
def test_a_wrong_table_of_a_mapping_is_named_and_its_secret_is_not(
    tmp_path: Path, toml: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_named(tmp_path, toml=toml)
    assert "secret-url" not in str(caught.value)
