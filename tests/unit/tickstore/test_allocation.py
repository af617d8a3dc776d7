"""The server's process keeps what it frees; a process that imports the store is left alone."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import pyarrow as pa
import tickmesh_tickstore.app
from tickmesh_tickstore.allocation import keep_freed_memory

before = pa.default_memory_pool().backend_name
told = keep_freed_memory()
print(before, told, pa.default_memory_pool().backend_name)
"""


def test_memory_comes_from_the_allocator_that_was_told_to_keep_it() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    before, told, after = ran.stdout.split()
    assert (told, after) == ("True", "system")
    assert before != after
