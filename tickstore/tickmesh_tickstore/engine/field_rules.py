"""What a schema version says of its fields beyond their types: defaults, and which nulls count.

Types alone do not tell a null that was written from a value that is absent. The rules do; they are
kept with each version, so that stored rows can be resolved while the registry is away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NO_RULES", "FieldRules", "resolve_value"]


@dataclass(frozen=True, slots=True)
class FieldRules:
    """The rules of one field, and of what is inside it.

    Attributes:
        admits_null: Whether a null stands for a value; else it stands for absent.
        default: What readers fill in where the field is absent, as JSON text; empty for nothing.
        members: The rules of a struct's fields by name; None where there is no struct.
        inner: The rules of a list's items or a map's values.
        is_uneven: Whether items or values have different rules by their places or keys.
    """

    admits_null: bool = True
    default: str = ""
    members: Mapping[str, FieldRules] | None = None
    inner: FieldRules | None = None
    is_uneven: bool = False

    def member(self, name: str) -> FieldRules:
        """The rules of a struct's field; none for one that is not known."""
        return NO_RULES if self.members is None else self.members.get(name, NO_RULES)

    @property
    def inside(self) -> FieldRules:
        """The rules of items or values; none where they are not known."""
        return self.inner or NO_RULES

    @property
    def changes_values(self) -> bool:
        """Whether resolving may change values inside JSON text: fill members in, or drop them."""
        return self.is_uneven or self.members is not None or self.inside is not NO_RULES

    def to_json(self) -> str:
        """The rules as JSON text."""
        return json.dumps(_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FieldRules:
        """Undo `to_json`."""
        return _parsed(json.loads(text))


NO_RULES = FieldRules()
"""No defaults; every null is a value."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _plain(rules: FieldRules) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if not rules.admits_null:
        said["admits_null"] = False
    if rules.default:
        said["default"] = rules.default
    if rules.members is not None:
        said["members"] = {name: _plain(member) for name, member in rules.members.items()}
    if rules.inner is not None:
        said["inner"] = _plain(rules.inner)
    if rules.is_uneven:
        said["uneven"] = True
    return said


def _parsed(said: dict[str, Any]) -> FieldRules:
    members = said.get("members")
    return FieldRules(
        admits_null=said.get("admits_null", True),
        default=said.get("default", ""),
        members=None
        if members is None
        else {name: _parsed(each) for name, each in members.items()},
        inner=_parsed(said["inner"]) if "inner" in said else None,
        is_uneven=said.get("uneven", False),
    )


def resolve_value(value: Any, writer: FieldRules, reader: FieldRules) -> Any:
    """A JSON value of one version as a reader of another sees it.

    The slow way, for values that columns keep as JSON text: members that the reader does not
    declare are dropped, absent ones take its default.
    """
    if isinstance(value, dict):
        if reader.members is not None:
            return _resolve_struct(value, writer, reader)
        return {
            name: resolve_value(member, _of(writer, name), _of(reader, name))
            for name, member in value.items()
            if writer.members is None or name in writer.members
        }
    if isinstance(value, list):
        return [resolve_value(item, writer.inside, reader.inside) for item in value]
    return value


def _of(rules: FieldRules, name: str) -> FieldRules:
    return rules.inside if rules.members is None else rules.member(name)


def _resolve_struct(
    value: dict[str, Any], writer: FieldRules, reader: FieldRules
) -> dict[str, Any]:
    resolved: dict[str, Any] = {}
    for name, rules in (reader.members or _EMPTY).items():
        written = name in value if writer.members is None else name in writer.members
        cell = value.get(name) if written else None
        if cell is not None:
            resolved[name] = resolve_value(cell, _of(writer, name), rules)
        elif written and _of(writer, name).admits_null:
            if name in value:
                resolved[name] = None
        elif rules.default:
            resolved[name] = json.loads(rules.default)
    return resolved
