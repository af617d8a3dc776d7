"""`tickmesh cleaner`: run the cleaner."""

from __future__ import annotations

from tickmesh_cleaner.app import build_cleaner
from tickmesh_cleaner.config import CleanerConfig
from tickmesh_serving.command import service_command

command = service_command(
    "cleaner",
    config_class=CleanerConfig,
    process_factory=build_cleaner,
    help="The cleaner: judges raw rows, stores the good ones, quarantines the rest.",
)
