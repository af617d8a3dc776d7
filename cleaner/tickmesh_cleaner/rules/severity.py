"""What is done with a row that breaks a rule."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """What is done with a row that breaks a rule.

    `REJECT` holds it back in quarantine. `REPAIR` mends the value, with a record of what stood
    there. `FLAG` stores the row and counts it. `DROP` leaves it out as a duplicate of a row that
    was judged before.
    """

    REJECT = "reject"
    REPAIR = "repair"
    FLAG = "flag"
    DROP = "drop"


REJECT_OR_FLAG = (Severity.REJECT, Severity.FLAG)

FLAG_BITS = {
    "TICK_SESSION": 0,
    "TICK_SIZE": 1,
    "TICK_CROSSED": 2,
    "TICK_LOCKED": 3,
    "TICK_ORDER": 4,
    "TICK_DUPLICATE": 5,
    "TICK_CONFLICT": 6,
    "TICK_CONDITION": 7,
    "TICK_QUOTE_BOUNDS": 8,
    "TICK_SPREAD": 9,
    "TICK_MID_DEVIATION": 10,
    "TICK_BROWNLEES_GALLO": 11,
}
"""The codes of the rules, and the bit of each in a column of flags. Bits are never given anew."""
