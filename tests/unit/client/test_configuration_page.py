"""docs/configuration.md names every setting with its default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tickmesh._cli.config import sections
from tickmesh.settings import describe_config, load_config

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
PAGE_LINES = PAGE.read_text(encoding="utf-8").splitlines()


def defaults() -> dict[str, str]:
    """Every setting of the client and of the servers, and its default."""
    found = {}
    for section, config_class in sections():
        loaded, provenance = load_config(
            config_class, section=section, toml=Path("no-such-file"), environ={}, flags={}
        )
        for setting in describe_config(loaded, provenance, section=section):
            found[setting.key] = setting.value
    return found


@pytest.mark.parametrize(("key", "value"), defaults().items())
def test_a_setting_is_on_the_page_with_its_default(key: str, value: str) -> None:
    name = key.partition(".")[2] if ".serving." in key else key
    rows = [line for line in PAGE_LINES if line.startswith((f"| `{name}` |", f"| `{name}.NAME."))]
    if any(".NAME." in row for row in rows):  # tables of a name each; none by default
        assert not value
        return
    (row,) = rows
    if key != "registry.serving.flight_port":  # the registry serves no Flight
        assert (value or "-") in row.split("|")[2]
