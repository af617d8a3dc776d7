"""How many parts a read is split into where nobody says."""

from __future__ import annotations

import os

import pytest

from tickmesh_tickstore.config import ReadingConfig


@pytest.mark.parametrize(("cores", "parts"), [(None, 2), (1, 2), (2, 2), (3, 3), (64, 4)])
def test_reads_have_as_many_parts_as_there_are_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, parts: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert ReadingConfig().endpoints() == parts
    assert ReadingConfig(max_endpoints=7).endpoints() == 7


def test_a_negative_number_of_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="max_endpoints"):
        ReadingConfig(max_endpoints=-1)
