"""One mesh of default settings for the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """For tests that neither kill a service nor set one up; their subjects are their own.

    Of the run, since modules come in random order and three processes take seconds to start. The
    cleaner reads files below `home / "sources"`.
    """
    home = tmp_path_factory.mktemp("mesh")
    sources = home / "sources"
    sources.mkdir()
    settings = {"cleaner.sources.roots": str(sources)}
    with Mesh(home, settings=settings, free_ports=True) as mesh:
        yield mesh
