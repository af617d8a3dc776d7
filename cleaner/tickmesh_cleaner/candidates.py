"""Schemas to judge rows under without storing them: a version, or a text nobody registered."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tickmesh.registered import Actor, RegisteredSchema, VersionState
from tickmesh.schema import Action, SchemaError, compile_schema, parse_schema, project
from tickmesh.schema.validation import UnsupportedSchemaError
from tickmesh_cleaner.domain.errors import InvalidArgumentError, InvalidSchemaError

if TYPE_CHECKING:
    from tickmesh_cleaner.schema_following import Schemas

_NOBODY = Actor(principal="", authentication="", on_behalf_of="", request_id="")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What to judge under; the version in force when neither is given.

    Attributes:
        version: A version of the subject; 0 for none.
        text: A JSON Schema as text; empty for none.
    """

    version: int = 0
    text: str = ""


def schema_of(candidate: Candidate, *, subject: str, schemas: Schemas) -> RegisteredSchema:
    """The schema a candidate names. One that is a text has version 0 and schema id 0.

    Args:
        candidate: What to judge under.
        subject: The subject; may be empty when the candidate is a text.
        schemas: The registry.

    Raises:
        InvalidSchemaError: Rows cannot be judged under the text; names the place.
        InvalidArgumentError: There is no subject to look in, or no such version.
        SubjectNotFoundError: The registry knows no such subject.
    """
    if candidate.text:
        return _of_text(candidate.text, subject=subject)
    if not subject:
        raise InvalidArgumentError("subject", "expected a subject, or a candidate's text")
    if candidate.version:
        return schemas.get(subject, version=candidate.version)
    schemas.refresh(subject)
    return schemas.in_force(subject)


def _of_text(text: str, *, subject: str) -> RegisteredSchema:
    try:
        document = parse_schema(text)
        arrow_schema = project(document, subject=subject or None)
        compile_schema(document, arrow_schema)
    except SchemaError as error:
        raise InvalidSchemaError(error.message, pointer=error.pointer, code=error.reason) from error
    except UnsupportedSchemaError as error:
        raise InvalidSchemaError(str(error), pointer="", code="UNSUPPORTED") from error
    return RegisteredSchema(
        subject=subject,
        version=0,
        schema_id=0,
        fingerprint=document.fingerprint,
        text=text,
        state=VersionState.ACTIVE,
        action=Action.FIRST,
        registered_at_ns=0,
        effective_from_ns=0,
        revision=0,
        labels=MappingProxyType({}),
        actor=_NOBODY,
        arrow_schema_ipc=arrow_schema.serialize().to_pybytes(),
    )
