"""Bounds of what a request may hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .versions import Reference

_SUBJECT = re.compile(r"[A-Za-z0-9._/-]{1,255}", re.ASCII)
_MAX_LABELS = 64
_MAX_LABEL_KEY = 63
_MAX_LABEL_VALUE = 255
_MAX_REFERENCES = 64
_MAX_REQUEST_ID = 128
_MAX_NOTE = 1_000
_MAX_PAGE_SIZE = 1_000
_DEFAULT_PAGE_SIZE = 100
MAX_INSTANT_NS = 2**63 - 1


def require_subject(name: str, *, field: str = "subject") -> str:
    """Return the subject's name, or raise InvalidArgumentError when it cannot be one."""
    if _SUBJECT.fullmatch(name) is None:
        raise InvalidArgumentError.of(
            field,
            "expected 1 to 255 characters of ASCII letters, digits, '.', '_', '-' and '/', "
            f"got {_shortened(name)}",
        )
    return name


def require_prefix(prefix: str) -> str:
    """Return the beginning of names (empty for any), or raise InvalidArgumentError."""
    return require_subject(prefix, field="prefix") if prefix else prefix


def require_labels(labels: Mapping[str, str], *, field: str = "labels") -> Mapping[str, str]:
    """Return the labels, or raise InvalidArgumentError when one of them cannot be kept."""
    if len(labels) > _MAX_LABELS:
        raise InvalidArgumentError.of(field, f"expected at most {_MAX_LABELS}, got {len(labels)}")
    for key, value in labels.items():
        if not 1 <= len(key) <= _MAX_LABEL_KEY:
            raise InvalidArgumentError.of(
                field,
                f"expected keys of 1 to {_MAX_LABEL_KEY} characters, got {_shortened(key)}",
            )
        if len(value) > _MAX_LABEL_VALUE:
            raise InvalidArgumentError.of(
                f"{field}[{key}]",
                f"expected at most {_MAX_LABEL_VALUE} characters, got {len(value)}",
            )
        _require_storable(key, field=field)
        _require_storable(value, field=f"{field}[{key}]")
    return dict(labels)


def require_references(references: Sequence[Reference]) -> tuple[Reference, ...]:
    """Return the references, or raise InvalidArgumentError when one cannot be resolved."""
    if len(references) > _MAX_REFERENCES:
        raise InvalidArgumentError.of(
            "references", f"expected at most {_MAX_REFERENCES}, got {len(references)}"
        )
    names: set[str] = set()
    for position, reference in enumerate(references):
        field = f"references[{position}]"
        if not reference.name:
            raise InvalidArgumentError.of(f"{field}.name", "expected the `$ref` string, got none")
        _require_storable(reference.name, field=f"{field}.name")
        if reference.name in names:
            raise InvalidArgumentError.of(
                f"{field}.name", f"{_shortened(reference.name)} is given twice"
            )
        names.add(reference.name)
        require_subject(reference.subject, field=f"{field}.subject")
        if reference.version < 1:
            raise InvalidArgumentError.of(
                f"{field}.version", f"expected 1 or more, got {reference.version}"
            )
    return tuple(references)


def require_request_id(request_id: str) -> str:
    """Return the idempotency key (empty for none), or raise InvalidArgumentError."""
    if len(request_id) > _MAX_REQUEST_ID:
        raise InvalidArgumentError.of(
            "request_id", f"expected at most {_MAX_REQUEST_ID} characters, got {len(request_id)}"
        )
    _require_storable(request_id, field="request_id")
    return request_id


def require_note(note: str) -> str:
    """Return the deprecation note (empty for none), or raise InvalidArgumentError."""
    if len(note) > _MAX_NOTE:
        raise InvalidArgumentError.of(
            "note", f"expected at most {_MAX_NOTE} characters, got {len(note)}"
        )
    _require_storable(note, field="note")
    return note


def require_version_number(number: int) -> int:
    """Return the number of a version, or raise InvalidArgumentError when it cannot be one."""
    if number < 1:
        raise InvalidArgumentError.of("version", f"expected 1 or more, got {number}")
    return number


def require_page_size(page_size: int) -> int:
    """Return how many items a page holds: 100 for 0, never more than 1,000."""
    if page_size < 0:
        raise InvalidArgumentError.of("page_size", f"expected 0 or more, got {page_size}")
    return min(page_size or _DEFAULT_PAGE_SIZE, _MAX_PAGE_SIZE)


def _require_storable(text: str, *, field: str) -> None:
    """Raise InvalidArgumentError for a text that not every store engine could keep."""
    if "\0" in text:
        raise InvalidArgumentError.of(
            field, f"expected no NUL character, got {_shortened(text)}; leave it out"
        )


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:77]!r}… ({len(text)} characters)"
