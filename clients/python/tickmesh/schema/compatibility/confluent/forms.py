"""A schema as Confluent's rules see it: one kind of thing, or a combination of such.

Their rules compare a schema object as a whole with another, kind by kind. An object that says
several kinds of thing at once (``type`` beside ``enum`` or ``anyOf``) stands for an ``allOf`` of
them, a list of types for an ``anyOf``. Both drafts end in the same forms.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.confluent.identities import Identities
from tickmesh.schema.errors import pointer_of
from tickmesh.schema.keywords import Dialect, JsonSchema, Path, effective

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tickmesh.schema.document import SchemaDocument


class RulesUndecidedError(Exception):
    """The rules cannot answer for a pair; the message says why."""


class FormKind(Enum):
    """What a schema speaks about, whether or not it names a type."""

    ANYTHING = auto()
    NOTHING = auto()
    STRING = auto()
    NUMBER = auto()
    BOOLEAN = auto()
    NULL = auto()
    OBJECT = auto()
    ARRAY = auto()
    ENUM = auto()
    CONST = auto()
    NOT = auto()
    CONDITIONAL = auto()
    ALL_OF = auto()
    ANY_OF = auto()
    ONE_OF = auto()

    @property
    def combines(self) -> bool:
        """Whether a form of this kind has branches."""
        return self in _COMBINATIONS


_COMBINATIONS = frozenset({FormKind.ALL_OF, FormKind.ANY_OF, FormKind.ONE_OF})
_TYPES = {
    "string": FormKind.STRING,
    "number": FormKind.NUMBER,
    "integer": FormKind.NUMBER,
    "boolean": FormKind.BOOLEAN,
    "null": FormKind.NULL,
    "object": FormKind.OBJECT,
    "array": FormKind.ARRAY,
}
_CHOICES = {
    "allOf": FormKind.ALL_OF,
    "anyOf": FormKind.ANY_OF,
    "oneOf": FormKind.ONE_OF,
}
_SAID_OF = {
    FormKind.ARRAY: frozenset(
        {"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"}
    ),
    FormKind.OBJECT: frozenset(
        {"properties", "required", "minProperties", "maxProperties", "dependencies"}
        | {"patternProperties", "additionalProperties", "propertyNames"}
    ),
    FormKind.NUMBER: frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    ),
    FormKind.STRING: frozenset({"minLength", "maxLength", "pattern", "format"}),
}
_SINCE_2019 = {
    FormKind.ARRAY: frozenset({"prefixItems", "unevaluatedItems", "minContains", "maxContains"}),
    FormKind.OBJECT: frozenset({"dependentRequired", "dependentSchemas", "unevaluatedProperties"}),
}
_DYNAMIC = ("$dynamicRef", "$recursiveRef")
_NOWHERE: dict[str, Any] = {}
_LONGEST_CHAIN = 64


class Form:
    """One schema, or one of the things that one schema says; compared by identity.

    Attributes:
        forms: The forms of the document it belongs to.
        kind: What it speaks about.
        schema: The schema object it was made of; that of its parent for ``true`` and ``false``.
        steps: The way from `schema` to it, not empty for ``true`` and ``false`` only.
        integer: Whether numbers are integers.
        whole: Whether it stands for all that `schema` says, annotations included.
    """

    __slots__ = ("_branches", "forms", "integer", "kind", "schema", "steps", "whole")

    def __init__(
        self,
        forms: Forms,
        kind: FormKind,
        schema: dict[str, Any],
        *,
        steps: Path = (),
        integer: bool = False,
        branches: Sequence[Form] = (),
    ) -> None:
        """Describe a form; one with branches of its own reads none from the schema."""
        self.forms = forms
        self.kind = kind
        self.schema = schema
        self.steps = steps
        self.integer = integer
        self.whole = True
        self._branches: Sequence[Form] | None = branches or None

    def child(self, *steps: str | int) -> Form:
        """Return the form of a subschema, by the way to it."""
        inner: Any = self.schema
        for step in steps:
            inner = inner[step]
        return self.forms.form_of(inner, inside=self.schema, steps=steps)

    def place(self, *steps: str | int) -> tuple[str, str]:
        """Return the JSON Pointer to a place below it, and a remark when that is elsewhere."""
        return self.forms.place_of(self.schema, (*self.steps, *steps))

    @property
    def branches(self) -> Sequence[Form]:
        """The forms combined; those that say the same in the same words count once."""
        if self._branches is None:
            keyword = next(name for name, kind in _CHOICES.items() if kind is self.kind)
            self._branches = self.forms.distinct(self, keyword)
        return self._branches


class Forms:
    """The forms of one document, made when first asked for and kept as long as it lives."""

    def __init__(self, document: SchemaDocument) -> None:
        """Begin without any form."""
        self._document = document
        self._known: dict[int, Form] = {}
        self._identities = Identities()
        self._newer = document.dialect is not Dialect.DRAFT_07
        self._said_of = {
            kind: names | (_SINCE_2019.get(kind, frozenset()) if self._newer else frozenset())
            for kind, names in _SAID_OF.items()
        }

    @classmethod
    def of(cls, document: SchemaDocument) -> Forms:
        """Return the forms of a document."""
        forms = document.memo.get(cls)
        if forms is None:
            forms = document.memo[cls] = cls(document)
        assert isinstance(forms, cls)
        return forms

    @property
    def newer(self) -> bool:
        """Whether the document speaks 2020-12, not draft-07."""
        return self._newer

    @property
    def root(self) -> Form:
        """The form of the whole document."""
        return self.form_of(self._document.root, inside=_NOWHERE, steps=())

    def form_of(
        self, schema: JsonSchema, *, inside: dict[str, Any], steps: Path, chained: int = 0
    ) -> Form:
        """Return the form of a subschema, references followed.

        Raises:
            RulesUndecidedError: It holds a dynamic reference, or references follow each other
                without end in sight.
        """
        if isinstance(schema, bool):
            kind = FormKind.ANYTHING if schema else FormKind.NOTHING
            return Form(self, kind, inside, steps=steps)
        form = self._known.get(id(schema))
        if form is None:
            if chained > _LONGEST_CHAIN:
                raise RulesUndecidedError(f"more than {_LONGEST_CHAIN} references in a row")
            form = self._known[id(schema)] = self._read(schema, chained)
        return form

    def distinct(self, form: Form, keyword: str) -> Sequence[Form]:
        """Return the branches under a keyword, without repetition."""
        members = form.schema[keyword]
        first: dict[int, int] = {}
        for place, member in enumerate(members):
            first.setdefault(self._identities.of(member), place)
        return [form.child(keyword, place) for place in first.values()]

    def has_default(self, schema: JsonSchema) -> bool:
        """Whether a property has a default, at itself or where its reference leads."""
        while isinstance(schema, dict):
            if "default" in schema:
                return True
            if "$ref" not in schema:
                return False
            schema = self._document.target_of(schema)
        return False

    def place_of(self, schema: dict[str, Any], steps: Path) -> tuple[str, str]:
        """Return the JSON Pointer to a place below a schema object, and a remark.

        What a pinned reference says is placed at the ``$ref`` that leads there; the remark then
        names the reference and the place inside it.
        """
        return self._found(schema, steps) or ("", "")

    def _found(self, schema: dict[str, Any], steps: Path) -> tuple[str, str] | None:
        index = self._document.index
        pointer = "" if schema is _NOWHERE else index.pointer_to(schema)
        if pointer is not None:
            return pointer + pointer_of(steps), ""
        for name, referenced in self._document.references.items():
            inside = Forms.of(referenced)._found(schema, steps)  # noqa: SLF001 - of its own class
            if inside is not None:
                return self._way_to(name), f" (in {name} at {inside[0] or 'its root'})"
        return None

    def _way_to(self, reference: str) -> str:
        index = self._document.index
        for path, schema in index.subschemas():
            if index.pinned.get(id(schema), ("",))[0] == reference:
                return pointer_of(path)
        return ""

    def _read(self, schema: dict[str, Any], chained: int) -> Form:
        if any(name in schema for name in _DYNAMIC):
            raise RulesUndecidedError("the rules say nothing about dynamic references")
        keywords = effective(schema, self._document.dialect)
        said = list(self._said(schema, keywords, chained))
        if not said:
            return Form(self, FormKind.ANYTHING, schema)
        if len(said) == 1:
            return said[0]
        for form in said:
            form.whole = form.schema is not schema
        return Form(self, FormKind.ALL_OF, schema, branches=said)

    def _said(
        self, schema: dict[str, Any], keywords: Mapping[str, Any], chained: int
    ) -> Iterator[Form]:
        if "$ref" in keywords:
            target = self._document.target_of(schema)
            yield self.form_of(target, inside=schema, steps=("$ref",), chained=chained + 1)
        if "enum" in keywords:
            yield Form(self, FormKind.ENUM, schema)
        for keyword, kind in _CHOICES.items():
            if keyword in keywords:
                yield Form(self, kind, schema)
        if "not" in keywords:
            yield Form(self, FormKind.NOT, schema)
        if "const" in keywords:
            yield Form(self, FormKind.CONST, schema)
        named = keywords.get("type", ())
        if isinstance(named, str):
            yield self._typed(schema, named)
        elif named:
            branches = [self._typed(schema, name) for name in named]
            for form in branches:
                form.whole = False
            yield Form(self, FormKind.ANY_OF, schema, branches=branches)
        spoken_for = {_TYPES[name] for name in ([named] if isinstance(named, str) else named)}
        for kind, names in self._said_of.items():
            if kind not in spoken_for and not names.isdisjoint(keywords):
                yield Form(self, kind, schema)
        if "if" in keywords:
            yield Form(self, FormKind.CONDITIONAL, schema)

    def _typed(self, schema: dict[str, Any], name: str) -> Form:
        return Form(self, _TYPES[name], schema, integer=name == "integer")
