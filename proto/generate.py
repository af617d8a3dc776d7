"""Generates the Python stubs of the contract into `clients/python/tickmesh/api`.

The proto package path equals the Python path, so the generated imports stand as they are.
Runs in an environment of its own that holds the oldest toolchain the package supports:
stubs refuse runtimes older than their generator, never newer ones.

Usage: `python proto/generate.py` writes; `python proto/generate.py --check` fails on a difference.
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

PROTO_ROOT = Path(__file__).resolve().parent
PYTHON_ROOT = PROTO_ROOT.parent / "clients" / "python"
API = Path("tickmesh") / "api"


def generate(target: Path) -> None:
    """Write stubs, typed interfaces and package markers below `target`."""
    sources = sorted(str(path) for path in PROTO_ROOT.rglob("*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={PROTO_ROOT}",
        f"--proto_path={well_known}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *sources,
    ]
    subprocess.run(command, check=True)
    for folder in [target / API, *(path for path in (target / API).rglob("*") if path.is_dir())]:
        marker = '"""Generated from proto/: edit there, then run `make gen`."""\n'
        (folder / "__init__.py").write_text(marker, encoding="utf-8")


def differences(fresh: Path, committed: Path) -> list[str]:
    """Name every generated file that is missing, stale or left over."""
    names = {path.relative_to(fresh) for path in fresh.rglob("*.py*") if path.is_file()}
    kept = {
        path.relative_to(committed)
        for path in committed.rglob("*.py*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    stale = [
        name
        for name in sorted(names & kept)
        if not filecmp.cmp(fresh / name, committed / name, shallow=False)
    ]
    return [str(name) for name in [*sorted(names ^ kept), *stale]]


def main() -> int:
    """Run the command line; the exit code is 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        generate(PYTHON_ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        found = differences(Path(folder) / API, PYTHON_ROOT / API)
    for name in found:
        print(f"{API / name} differs from what proto/ generates: run `make gen`")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
