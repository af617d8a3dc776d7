"""What every tick rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_cleaner.rules.memory import Cell, Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Breach, Rows
    from tickmesh_cleaner.rules.severity import Severity

_NO_CELLS: Mapping[str, Cell] = MappingProxyType({})


class Rule(ABC):
    """A tick rule, compiled for the columns of one schema.

    Attributes:
        keyword: The keyword that states it.
        stands_at: Whether it stands at the row or at a field of it.
        shorthand: The parameter that a value which is no object stands for.
        remembers: Whether its verdicts depend on rows of earlier batches.
        severity: What is done with a row that breaks it.
        instance_path: JSON Pointer to what it judges within a row.
        schema_path: JSON Pointer to the keyword.
        field: The field it stands at; None at the row.
        data_version: Name and version of the data it goes by; empty when it needs none.
        fingerprint: Names the keyword, its place, its parameters and its data.
    """

    keyword: ClassVar[str]
    stands_at: ClassVar[Literal["row", "field"]] = "row"
    shorthand: ClassVar[str | None] = None
    remembers: ClassVar[bool] = False
    severity: Severity
    data_version: str = ""
    fingerprint: str = ""

    def __init__(self, parameters: Parameters) -> None:
        """Read the parameters; a rule reads its own after calling this.

        Raises:
            RuleError: A parameter is wrong.
        """
        self.schema_path = parameters.pointer
        self.field = parameters.field
        self.instance_path = ""
        if parameters.field is not None:
            self.instance_path = "/" + parameters.field.replace("~", "~0").replace("/", "~1")

    def cells(self) -> Mapping[str, Cell]:
        """What the rule remembers of each symbol."""
        return _NO_CELLS

    @abstractmethod
    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """Find the rows that break the rule, knowing only rows that came before them.

        Args:
            rows: Rows in the order of the source.
            memory: What the rule remembers of earlier rows; left as it is after these.
        """

    def judge_whole(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """Find the rows of a whole recording that break the rule, looking both ways.

        The causal form, unless the rule has a centred one.
        """
        return self.judge(rows, memory)
