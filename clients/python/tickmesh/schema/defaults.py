"""Whether the defaults of a document are valid where they stand, judged all at once.

A validator of its own for each default would compile what a reference leads to as many times as
it is referred to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh.schema.oracle import draft_of, refuse_fetch, with_pattern_engine
from tickmesh.schema.standalone import Standalone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.location import Location


@dataclass(frozen=True, slots=True)
class Default:
    """A default that readers fill in.

    Attributes:
        location: Where the object is that it is filled into.
        name: The member it is filled in as.
        value: The value, in plain JSON.
    """

    location: Location
    name: str
    value: Any


def first_invalid(document: SchemaDocument, defaults: Sequence[Default]) -> Default | None:
    """Return the first default that its own subschema rejects or leaves undecided, if any."""
    import jsonschema_rs

    if not defaults:
        return None
    standalone = Standalone(document, name="defaults")
    judging = {
        str(place): {
            "allOf": [
                standalone.refer(schema)
                for schema, conditional in each.location.child(each.name).applied
                if not conditional
            ]
        }
        for place, each in enumerate(defaults)
    }
    validator = with_pattern_engine(
        lambda engine: jsonschema_rs.validator_for(
            {"$schema": str(document.dialect), "properties": judging},
            registry=jsonschema_rs.Registry(
                resources=standalone.resources,
                draft=draft_of(document.dialect),
                retriever=refuse_fetch,
            ),
            validate_formats=True,
            retriever=refuse_fetch,
            pattern_options=engine,
        )
    )
    values = {str(place): each.value for place, each in enumerate(defaults)}
    if validator.is_valid(values):
        return None
    wrong = {int(error.instance_path[0]) for error in validator.iter_errors(values)}
    return defaults[min(wrong)]
