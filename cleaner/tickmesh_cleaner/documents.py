"""Bad rows as JSON text, exact: what a quarantine file keeps."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any


def document_text(document: Any) -> str:
    """JSON text of a document, in the order of its fields.

    Decimals keep every digit. Numbers JSON has no word for become text: `"NaN"`, `"Infinity"`.
    """
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return _exact_text(document)


def _exact_text(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(str(key))}: {_exact_text(part)}" for key, part in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_exact_text(part) for part in value) + "]"
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else json.dumps(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps({math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN"))
    return json.dumps(value, ensure_ascii=False)
