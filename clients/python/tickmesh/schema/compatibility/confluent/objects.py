"""Objects: what is required, listed, left over and dependent.

Names are looked at only where ``properties`` lists them: patterns are never compared with each
other, nor ``propertyNames``, nor required names that no property lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickmesh.schema.compatibility.confluent.content import (
    Openness,
    member_content,
    rest_of_object,
)
from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind
from tickmesh.schema.compatibility.confluent.forms import Form, FormKind
from tickmesh.schema.compatibility.confluent.rest import compare_rests
from tickmesh.schema.compatibility.confluent.values import compare_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh.schema.compatibility.confluent.outcome import Outcome
    from tickmesh.schema.compatibility.confluent.walk import Walk


def compare_objects(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    """Compare what two forms say of objects."""
    compare_bounds(outcome, old, new, "maxProperties", "minProperties")
    compare_rests(
        walk, outcome, old, new, rest_of_object(old), rest_of_object(new), "ADDITIONAL_PROPERTIES"
    )
    _compare_dependencies(walk, outcome, old, new)
    _compare_properties(walk, outcome, old, new)


def _compare_properties(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    before, after = old.schema.get("properties", {}), new.schema.get("properties", {})
    was, now = set(old.schema.get("required", ())), set(new.schema.get("required", ()))
    for name in before:
        if name not in after:
            _removed(walk, outcome, old, new, name)
            continue
        outcome.include(walk.compare(old.child("properties", name), new.child("properties", name)))
        if name in now and name not in was:
            _became_required(outcome, new, name)
        elif name in was and name not in now:
            outcome.add(
                Kind.REQUIRED_ATTRIBUTE_REMOVED,
                old,
                "required",
                message=f"{name!r} is no longer required",
            )
    for name in after:
        if name not in before:
            _added(walk, outcome, old, new, name, required=name in now)


def _became_required(outcome: Outcome, new: Form, name: str) -> None:
    filled = _has_default(new, name)
    kind = Kind.REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED if filled else Kind.REQUIRED_ATTRIBUTE_ADDED
    message = f"{name!r} became required{', with a default' if filled else ''}"
    outcome.add(kind, new, "required", message=message)


def _removed(walk: Walk, outcome: Outcome, old: Form, new: Form, name: str) -> None:
    content = member_content(walk, new, name)
    if content.openness is Openness.OPEN:
        kind = Kind.PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL
        remark = "any other member is still admitted"
    elif content.covering is None:
        if old.child("properties", name).kind is FormKind.NOTHING:
            kind = Kind.PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL
        else:
            kind = Kind.PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL
        remark = "no other member is admitted"
    else:
        inner = walk.compare(old.child("properties", name), content.covering)
        if inner.compatible:
            kind = Kind.PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
            remark = "what is said of other members covers it"
            outcome.include(inner)
        else:
            kind = Kind.PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
            remark = "what is said of other members does not cover it"
    outcome.add(
        kind, old, "properties", name, message=f"the property {name!r} was removed; {remark}"
    )


def _added(
    walk: Walk, outcome: Outcome, old: Form, new: Form, name: str, *, required: bool
) -> None:
    form = new.child("properties", name)
    content = member_content(walk, old, name)
    filled = required and _has_default(new, name)
    if content.openness is Openness.OPEN:
        if required and filled:
            kind = Kind.REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL
        elif required:
            kind = Kind.REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL
        elif form.kind is FormKind.ANYTHING:
            kind = Kind.PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL
        else:
            kind = Kind.OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL
        _add(outcome, kind, new, name, required=required, remark="old members may bear its name")
        return
    if content.covering is not None:
        inner = walk.compare(content.covering, form)
        outcome.include(inner)
        if inner.compatible:
            kind = Kind.PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
            remark = "it covers what was said of other members"
        else:
            kind = Kind.PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL
            remark = "it does not cover what was said of other members"
        _add(outcome, kind, new, name, required=required, remark=remark)
        if not required:
            return
    if required and filled:
        kind = Kind.REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL
    elif required:
        kind = Kind.REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL
    else:
        kind = Kind.OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL
    remark = "its default stands in where it is missing" if filled else "old objects lack it"
    _add(outcome, kind, new, name, required=required, remark=remark)


def _add(
    outcome: Outcome, kind: Kind, new: Form, name: str, *, required: bool, remark: str
) -> None:
    which = "required" if required else "optional"
    message = f"the {which} property {name!r} was added; {remark}"
    outcome.add(kind, new, "properties", name, message=message)


def _has_default(form: Form, name: str) -> bool:
    return form.forms.has_default(form.schema["properties"][name])


def _compare_dependencies(walk: Walk, outcome: Outcome, old: Form, new: Form) -> None:
    before, after = _dependencies(old), _dependencies(new)
    for name in dict.fromkeys([*before, *after]):
        _compare_arrays(outcome, old, new, before.get(name, {}), after.get(name, {}), name)
        was, now = before.get(name, {}).get("schema"), after.get(name, {}).get("schema")
        if was is not None and now is not None:
            outcome.include(walk.compare(old.child(was, name), new.child(now, name)))
        elif now is not None:
            message = f"the member {name!r} now brings a schema with it"
            outcome.add(Kind.DEPENDENCY_SCHEMA_ADDED, new, now, name, message=message)
        elif was is not None:
            message = f"the member {name!r} no longer brings a schema with it"
            outcome.add(Kind.DEPENDENCY_SCHEMA_REMOVED, old, was, name, message=message)


def _dependencies(form: Form) -> Mapping[str, dict[str, str]]:
    """Return by member name which keyword holds its dependencies of either sort."""
    found: dict[str, dict[str, str]] = {}
    if form.forms.newer:
        for name in form.schema.get("dependentRequired", ()):
            found.setdefault(name, {})["array"] = "dependentRequired"
        for name in form.schema.get("dependentSchemas", ()):
            found.setdefault(name, {})["schema"] = "dependentSchemas"
        return found
    for name, needed in form.schema.get("dependencies", {}).items():
        found[name] = {"array" if isinstance(needed, list) else "schema": "dependencies"}
    return found


def _compare_arrays(
    outcome: Outcome,
    old: Form,
    new: Form,
    before: Mapping[str, str],
    after: Mapping[str, str],
    name: str,
) -> None:
    was, now = before.get("array"), after.get("array")
    if was is None and now is None:
        return
    needed: set[Any] = set() if was is None else set(old.schema[was][name])
    needs: set[Any] = set() if now is None else set(new.schema[now][name])
    if was is None:
        verb = "ADDED"
    elif now is None:
        verb = "REMOVED"
    elif needed == needs:
        return
    else:
        verb = "EXTENDED" if needed < needs else "NARROWED" if needs < needed else "CHANGED"
    form, keyword = (old, was) if now is None else (new, now)
    message = f"the names that the member {name!r} requires were {verb.lower()}"
    outcome.add(Kind.of("DEPENDENCY_ARRAY", verb), form, str(keyword), name, message=message)
