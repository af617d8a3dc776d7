"""The order of a listing, as AIP-132 writes it: `revision desc`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Order:
    """What a listing is sorted by; equal values follow the listing's own key, the same way."""

    field: str
    descending: bool = False


BY_NAME = Order("name")


def parse_order(text: str, *, fields: Sequence[str]) -> Order:
    """Read an `order_by`; the empty one is the first field, ascending.

    Raises:
        InvalidArgumentError: It names no field of this listing, or more than one.
    """
    match text.split():
        case []:
            return Order(fields[0])
        case [field] | [field, "asc"] if field in fields:
            return Order(field)
        case [field, "desc"] if field in fields:
            return Order(field, descending=True)
    shown = text if len(text) <= 80 else f"{text[:77]}…"
    raise InvalidArgumentError.of(
        "order_by",
        f"expected one of {', '.join(fields)}, with ` desc` for the highest first, got {shown!r}",
    )
