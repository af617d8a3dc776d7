"""`tickmesh up` over three sample services: the real command, with another program to supervise."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from tickmesh_serving import up
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MODULE = "tests.integration.serving.sample_service"


def sample_command(service: str, home: Path) -> Sequence[str]:
    return (sys.executable, "-m", MODULE, service, "serve", f"--data={home}")


if __name__ == "__main__":
    up.Mesh = functools.partial(Mesh, command=sample_command)  # type: ignore[misc, assignment]
    up.command.main()
