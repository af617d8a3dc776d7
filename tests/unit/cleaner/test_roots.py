"""Jobs read below the source roots alone, whatever path or pattern they are given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tickmesh_cleaner.domain.errors import (
    InvalidArgumentError,
    LimitExceededError,
    SourceNotFoundError,
)
from tickmesh_cleaner.sources import roots as roots_module
from tickmesh_cleaner.sources.roots import SourceRoots

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with files at two depths, beside files that are none of its business."""
    root = tmp_path / "root"
    (root / "day1" / "deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for name in (
        "root/b.csv",
        "root/a.csv",
        "root/notes.txt",
        "root/.hidden.csv",
        "root/day1/c.csv",
        "root/day1/deep/d.csv",
        "root/[odd].csv",
        "outside/secret.csv",
        "root.csv",
    ):
        (tmp_path / name).write_text(name, encoding="utf-8")
    return root


@pytest.fixture
def roots(root: Path) -> SourceRoots:
    return SourceRoots([root])


def names(roots: SourceRoots, pattern: str) -> list[str]:
    return [file.name for file in roots.match(pattern)]


def test_a_file_below_a_root_is_found_by_its_real_path(roots: SourceRoots, root: Path) -> None:
    (root / "link.csv").symlink_to(root / "a.csv")
    assert roots.resolve(str(root / "link.csv")) == root / "a.csv"
    assert roots.resolve(str(root / "day1" / ".." / "a.csv")) == root / "a.csv"


LEADING_OUT = [
    "{root}/../outside/secret.csv",
    "{root}/day1/../../outside/secret.csv",
    "{root}.csv",
    "{root}/out/secret.csv",
    "{root}/out.csv",
    "{root}/loop.csv",
    "/etc/passwd",
    "a.csv",
    "",
    "{root}/a.csv\0",
    "\0",
    "{root}/" + "x" * 5_000,
    "{root}/" + "day1/../" * 2_000 + "none.csv",
    "{root}/none.csv",
    "{root}/day1",
]


@pytest.mark.parametrize("path", LEADING_OUT)
def test_whatever_is_not_a_file_below_a_root_is_refused_alike(
    roots: SourceRoots, root: Path, tmp_path: Path, path: str
) -> None:
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out.csv").symlink_to(tmp_path / "outside" / "secret.csv")
    (root / "loop.csv").symlink_to(root / "loop.csv")
    with pytest.raises(SourceNotFoundError) as refused:
        roots.resolve(path.format(root=root))
    assert str(tmp_path) not in refused.value.message
    assert len(refused.value.message) < 500


def test_a_pipe_is_no_file(roots: SourceRoots, root: Path) -> None:
    os.mkfifo(root / "pipe.csv")
    with pytest.raises(SourceNotFoundError):
        roots.resolve(str(root / "pipe.csv"))
    assert "pipe.csv" not in names(roots, f"{root}/*.csv")


def test_a_directory_stands_for_its_files_in_order(roots: SourceRoots, root: Path) -> None:
    assert names(roots, str(root)) == ["[odd].csv", "a.csv", "b.csv", "notes.txt"]
    assert names(roots, f"{root}/day1/") == ["day1/c.csv"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["[odd].csv", "a.csv", "b.csv"]),
        ("[ab].csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[[]odd].csv", ["[odd].csv"]),
        ("*/*.csv", ["day1/c.csv"]),
        ("**/*.csv", ["[odd].csv", "a.csv", "b.csv", "day1/c.csv", "day1/deep/d.csv"]),
        ("day1/**", ["day1/c.csv", "day1/deep/d.csv"]),
        ("a.csv", ["a.csv"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches(
    roots: SourceRoots, root: Path, pattern: str, found: list[str]
) -> None:
    assert names(roots, f"{root}/{pattern}") == found


def test_a_file_found_tells_its_size(roots: SourceRoots, root: Path) -> None:
    (file,) = roots.match(f"{root}/a.csv")
    assert (file.path, file.size_bytes) == (root / "a.csv", len("root/a.csv"))


@pytest.mark.parametrize(
    "pattern",
    [
        "{root}/*.parquet",
        "{root}/empty",
        "{root}/../outside/*.csv",
        "{root}/../*/secret.csv",
        "/*",
        "/etc/*",
        "*.csv",
        "",
        "{root}/none/*.csv",
        "{root}/a.csv/*",
        "{root}/\0*",
        "{root}/" + "x" * 300 + "*",
        "{root}/out/*.csv",
    ],
)
def test_a_pattern_that_matches_nothing_below_a_root_is_refused(
    roots: SourceRoots, root: Path, tmp_path: Path, pattern: str
) -> None:
    (root / "empty").mkdir()
    (root / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(SourceNotFoundError) as refused:
        roots.match(pattern.format(root=root))
    assert str(tmp_path) not in refused.value.message


@pytest.mark.parametrize(
    ("link", "target", "pattern"),
    [
        ("out.csv", "outside/secret.csv", "*.csv"),
        ("out.csv", "nowhere", "*.csv"),
        ("out", "outside", "*/secret.csv"),
    ],
)
def test_a_match_that_leads_out_is_refused_not_left_out(
    roots: SourceRoots, root: Path, tmp_path: Path, link: str, target: str, pattern: str
) -> None:
    """Left out, it would be a file somebody believes to be cleaned."""
    (root / link).symlink_to(tmp_path / target)
    with pytest.raises(SourceNotFoundError):
        roots.match(f"{root}/{pattern}")


@pytest.mark.parametrize("pattern", ["{root}/*/../*.csv", "{root}/**/x/**/*.csv"])
def test_a_pattern_that_could_climb_or_explode_is_refused(
    roots: SourceRoots, root: Path, pattern: str
) -> None:
    with pytest.raises(InvalidArgumentError):
        roots.match(pattern.format(root=root))


def test_a_job_has_a_bounded_number_of_files(
    roots: SourceRoots, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roots_module, "MAX_FILES", 2)
    with pytest.raises(LimitExceededError):
        roots.match(f"{root}/*.csv")


def test_a_file_that_is_awaited_may_be_missing_but_not_elsewhere(
    roots: SourceRoots, root: Path, tmp_path: Path
) -> None:
    assert roots.resolve_awaited(f"{root}/live.csv") is None
    assert roots.resolve_awaited(f"{root}/a.csv") == root / "a.csv"
    (root / "out.csv").symlink_to(tmp_path / "outside" / "secret.csv")
    (root / "gone.csv").symlink_to(tmp_path / "outside" / "later.csv")
    for path in ("out.csv", "gone.csv", "day1", "none/live.csv", "../live.csv", "../outside/x", ""):
        with pytest.raises(SourceNotFoundError):
            roots.resolve_awaited(f"{root}/{path}")
