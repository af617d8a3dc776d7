"""Rows as JSON text, exact: what a quarantine file keeps of a row that was judged."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any


def document_text(value: Any) -> str:
    """JSON text of a row's document, in the order of its fields.

    Decimals keep every digit. Numbers JSON has no word for become text: `"NaN"`, `"Infinity"`.
    """
    if isinstance(value, dict):
        members = (f"{_text(str(key))}: {document_text(part)}" for key, part in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(document_text(part) for part in value) + "]"
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else _text(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return _text({math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN"))
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
