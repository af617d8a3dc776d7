"""What the strings of a place in a row are: instants, days, times of day, one of a few, or any."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tickmesh.schema.keywords import effective
from tickmesh.schema.location import types_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.schema.document import SchemaDocument
    from tickmesh.schema.keywords import JsonSchema
    from tickmesh.schema.location import Location


class TextForm(StrEnum):
    """A form of strings that Arrow has a type of its own for."""

    DATE_TIME = "date-time"
    DATE = "date"
    TIME = "time"
    LISTED = "listed"
    """One of the values that ``enum`` or ``const`` lists."""


FORMATS = {form.value: form for form in (TextForm.DATE_TIME, TextForm.DATE, TextForm.TIME)}
"""The forms that ``format`` names."""


def text_form(location: Location) -> TextForm | None:
    """Return the form that all strings at a location have, None when they may be any text.

    Of what stands under a condition (``anyOf``, ``oneOf``, ``then``, …) every branch that admits
    strings has to say the same: so a union of a string and null keeps the string's form.
    """
    document = location.document
    always = [schema for schema, conditional in location.applied if not conditional]
    if always:
        return _together(_form(schema, document) for schema in always)
    return _same(location.document, (schema for schema, _ in location.applied))


def _form(schema: JsonSchema, document: SchemaDocument) -> TextForm | None:
    if isinstance(schema, bool):
        return None
    keywords = effective(schema, document.dialect)
    forms = [FORMATS.get(str(keywords.get("format")))]
    if isinstance(keywords.get("const"), str) or any(
        isinstance(value, str) for value in keywords.get("enum", ())
    ):
        forms.append(TextForm.LISTED)
    if "$ref" in keywords:
        forms.append(_form(document.target_of(schema), document))
    forms += [_form(member, document) for member in keywords.get("allOf", ())]
    forms += [
        _same(document, keywords[choice]) for choice in ("anyOf", "oneOf") if choice in keywords
    ]
    return _together(forms)


def _together(forms: Iterable[TextForm | None]) -> TextForm | None:
    """The form of strings that have all these forms; a format says more than a list."""
    found = {form for form in forms if form is not None}
    formats = found - {TextForm.LISTED}
    if len(formats) > 1:
        return None
    return next(iter(formats or found), None)


def _same(document: SchemaDocument, branches: Iterable[JsonSchema]) -> TextForm | None:
    """The form that strings have under each branch that admits any."""
    forms = {_form(each, document) for each in branches if "string" in types_of(each, document)}
    return forms.pop() if len(forms) == 1 else None
