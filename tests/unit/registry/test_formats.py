"""The schema languages the registry speaks."""

from __future__ import annotations

import pytest

from tickmesh_registry.domain.errors import InvalidArgumentError
from tickmesh_registry.formats import format_named


def test_a_schema_language_that_is_not_spoken_is_refused_with_those_that_are() -> None:
    assert format_named("json-schema").parse('{"type": "object"}', {}).canonical_text
    with pytest.raises(InvalidArgumentError, match="json-schema"):
        format_named("avro")
