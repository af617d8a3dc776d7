"""The C++ mapping of schemas, asked schema by schema."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from tests.support.gtest_program import BUILDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

PROGRAM = BUILDS / "asan" / "tests" / "tickmesh_schema_mapper"


@dataclass(frozen=True)
class Given:
    """What a mapping starts from; `references` have the same form."""

    text: str | bytes
    references: Mapping[str, Given] = field(default_factory=dict)
    subject: str = "ticks.test"
    version: int = 1
    field_ids: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The form in which the program reads it."""
        text = self.text if isinstance(self.text, bytes) else self.text.encode("utf-8")
        return {
            "schema": base64.b64encode(text).decode(),
            "references": {name: each.as_json() for name, each in self.references.items()},
            "subject": self.subject,
            "version": self.version,
            "field_ids_before": dict(self.field_ids),
        }


@dataclass(frozen=True)
class Mapped:
    """What came of it: a schema and the field ids, or why not."""

    schema: pa.Schema | None = None
    field_ids: Mapping[str, int] = field(default_factory=dict)
    code: str = ""
    reason: str = ""
    pointer: str = ""
    message: str = ""


class SchemaMapper:
    """The program `tickmesh_schema_mapper`, as long as the block runs."""

    def __enter__(self) -> Self:
        assert PROGRAM.exists(), f"{PROGRAM} is not built: `make test` builds it"
        self._process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        # The sanitizers tell at the end what leaked.
        assert kind is not None or code == 0, f"the program ended with {code}"

    def map(self, given: Given) -> Mapped:
        """Map one schema."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(given.as_json()).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the program ended over {given!r}"
        answer = json.loads(line)
        if "ipc" not in answer:
            return Mapped(**answer)
        message = pa.py_buffer(base64.b64decode(answer["ipc"]))
        return Mapped(schema=pa.ipc.read_schema(message), field_ids=answer["field_ids_after"])
