"""What the pages call public is there, and works as its docstring says."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import pytest

import tickmesh
import tickmesh.schema
from tickmesh import testing
from tickmesh.testing import running_mesh

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.integration

PUBLIC = {
    "tickmesh": {
        *("AsyncRegistryClient", "CleanerClient", "RegistryClient", "TickClient", "TickmeshError"),
    },
    "tickmesh.schema": {
        # Documents, and what they are in Arrow.
        *("parse_schema", "parse_document", "SchemaDocument", "SchemaLimits", "SchemaError"),
        *("Dialect", "JsonSchema", "project", "FieldIds", "Roles", "roles_of"),
        # Compatibility.
        *("compare", "compare_with_history", "action_of", "CompatibilityReport", "Comparison"),
        *("Change", "Action", "Mode", "Policy", "Verdict"),
        # Differences and resolution.
        *("diff", "SchemaDifference", "FieldChange", "ColumnPlan", "ColumnAction"),
        *("resolve_row", "row_is_valid", "describe_fields", "FieldFacts"),
        # Validation.
        *("compile_schema", "Validator", "Verdicts", "Reason", "NullMeans"),
    },
}


@pytest.mark.parametrize("module_name", PUBLIC)
def test_the_public_names_are_these(module_name: str) -> None:
    """A name that comes or goes is a decision, not an accident."""
    module: ModuleType = importlib.import_module(module_name)
    assert set(module.__all__) == PUBLIC[module_name]
    missing = [name for name in module.__all__ if getattr(module, name, None) is None]
    assert missing == []


@pytest.mark.parametrize("module", [tickmesh, tickmesh.schema])
def test_a_name_that_is_not_there_is_an_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_a_mesh_for_ones_own_tests_serves_every_client() -> None:
    with running_mesh(timeout_seconds=200) as mesh:
        with tickmesh.RegistryClient(config=mesh.config) as registry:
            schema = '{"type": "object", "properties": {"price": {"type": "number"}}}'
            registered = registry.register("ticks.mine", schema)
        with tickmesh.TickClient(config=mesh.config) as ticks:
            assert ticks.datasets() == []
        with tickmesh.CleanerClient(config=mesh.config) as cleaner:
            assert cleaner.list_jobs() == []
        assert registered.schema.version == 1
        assert set(mesh.addresses) == {"registry", "tickstore", "cleaner"}
    assert not mesh.home.exists()


def test_the_fixture_in_the_docstring_of_testing_is_python() -> None:
    assert testing.__doc__ is not None
    lines = re.findall(r"^    (.*)$", testing.__doc__, re.MULTILINE)
    compile("\n".join(lines), "testing.__doc__", "exec")
