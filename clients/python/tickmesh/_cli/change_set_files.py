"""Change sets as files: JSON that names schemas, policies, and schema files beside it.

    {"changes": [
        {"policy": {"subject": "ticks.trades", "mode": "NONE"}},
        {"register": {"subject": "ticks.trades", "file": "trades.schema.json"}}
    ]}

`register` takes `subject`, `file` (relative to the change set's own) or `schema` (the schema
itself), and `references` (name to SUBJECT@VERSION), `labels`, `effective_from`,
`expected_version`, `allow_breaking` and `ignore_deleted`. `policy` takes `subject` (absent for the
registry as a whole), `mode`, `policy` and `undecided`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tickmesh._cli.text_files import read_text
from tickmesh._ticks.time_arguments import instant_ns
from tickmesh.errors import InvalidArgumentError
from tickmesh.proposals import PolicyChange, SchemaProposal
from tickmesh.registered import UndecidedPolicy
from tickmesh.schema import Mode, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum
    from pathlib import Path
    from typing import TypeVar

    _Member = TypeVar("_Member", bound=StrEnum)

_REGISTER = {
    "subject": str,
    "file": str,
    "schema": dict,
    "references": dict,
    "labels": dict,
    "effective_from": str,
    "expected_version": int,
    "allow_breaking": bool,
    "ignore_deleted": bool,
}
_POLICY = {"subject": str, "mode": str, "policy": str, "undecided": str}
_TYPE_NAMES = {str: "text", dict: "an object", int: "an integer", bool: "true or false"}


def read_change_set(file: Path) -> list[SchemaProposal | PolicyChange]:
    """The items of a change set file, in order.

    Raises:
        InvalidArgumentError: it is no change set; names the place.
    """
    try:
        content = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise _wrong(file, f"line {error.lineno}", f"expected JSON: {error.msg}") from None
    changes = content.get("changes") if isinstance(content, dict) else None
    if not isinstance(changes, list) or set(content) != {"changes"}:
        raise _wrong(file, "the root", 'expected {"changes": [...]} and nothing else')
    return [_item(file, f"/changes/{n}", change) for n, change in enumerate(changes)]


def _item(file: Path, place: str, change: object) -> SchemaProposal | PolicyChange:
    match change:
        case {"register": dict(fields), **rest} if not rest:
            return _proposal(file, f"{place}/register", fields)
        case {"policy": dict(fields), **rest} if not rest:
            return _policy(file, f"{place}/policy", fields)
    raise _wrong(file, place, 'expected {"register": {...}} or {"policy": {...}}')


def _proposal(file: Path, place: str, fields: dict[str, Any]) -> SchemaProposal:
    _check(file, place, fields, _REGISTER)
    if "subject" not in fields:
        raise _wrong(file, place, "expected a subject")
    if ("file" in fields) == ("schema" in fields):
        raise _wrong(file, place, "expected either file or schema")
    if "file" in fields:
        beside = file.parent / fields["file"]
        if not beside.is_file():
            raise _wrong(file, f"{place}/file", f"there is no file {fields['file']}")
        text = read_text(beside)
    else:
        text = json.dumps(fields["schema"], ensure_ascii=False)
    instant = fields.get("effective_from")
    return SchemaProposal(
        subject=fields["subject"],
        text=text,
        references={
            name: _reference(file, f"{place}/references/{name}", target)
            for name, target in fields.get("references", {}).items()
        },
        labels={str(key): str(value) for key, value in fields.get("labels", {}).items()},
        effective_from_ns=(
            None if instant is None else instant_ns(instant, name=f"{place}/effective_from")
        ),
        expected_version=fields.get("expected_version"),
        allow_breaking=fields.get("allow_breaking", False),
        ignore_deleted=fields.get("ignore_deleted", False),
    )


def _policy(file: Path, place: str, fields: dict[str, Any]) -> PolicyChange:
    _check(file, place, fields, _POLICY)
    return PolicyChange(
        subject=fields.get("subject") or None,
        mode=_member(file, f"{place}/mode", Mode, fields.get("mode")),
        policy=_member(file, f"{place}/policy", Policy, fields.get("policy")),
        undecided=_member(file, f"{place}/undecided", UndecidedPolicy, fields.get("undecided")),
    )


def _member(file: Path, place: str, members: type[_Member], value: str | None) -> _Member | None:
    if value is None:
        return None
    for member in members:
        if member.value.lower() == value.lower():
            return member
    raise _wrong(file, place, f"expected one of {', '.join(members)}, was {value}")


def _reference(file: Path, place: str, target: object) -> tuple[str, int]:
    subject, separator, version = str(target).rpartition("@")
    if not separator or not version.isdigit():
        raise _wrong(file, place, f"expected SUBJECT@VERSION, was {target}")
    return subject, int(version)


def _check(file: Path, place: str, fields: dict[str, Any], expected: Mapping[str, type]) -> None:
    for name, value in fields.items():
        wanted = expected.get(name)
        if wanted is None:
            raise _wrong(file, f"{place}/{name}", f"expected one of {', '.join(expected)}")
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise _wrong(file, f"{place}/{name}", f"expected {_TYPE_NAMES[wanted]}")


def _wrong(file: Path, place: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{file.name} is no change set: {message} (at {place})")
