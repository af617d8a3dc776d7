"""docs/configuration.md names every setting with the default it has."""

from __future__ import annotations

import re
from pathlib import Path

from tickmesh.config import ClientConfig
from tickmesh_serving.config import ServingConfig, describe_config

PAGE = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"
ROOMS_OWN = {"serving.grpc_port", "serving.flight_port", "serving.http_port"}


def test_page_lists_exactly_the_settings_there_are_with_their_defaults() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = dict(
        re.findall(r"^\| `((?:serving|client)\.[a-z_.]+)` \| ([^|]+) \|", text, re.MULTILINE)
    )
    settings = [
        *describe_config(ServingConfig(), {}, section="serving"),
        *describe_config(ClientConfig(), {}, section="client"),
    ]
    assert set(rows) == {setting.key for setting in settings}
    for setting in settings:
        if setting.key not in ROOMS_OWN:
            expected = f"`{setting.value}`" if setting.value else "-"
            assert rows[setting.key] == expected, setting.key
