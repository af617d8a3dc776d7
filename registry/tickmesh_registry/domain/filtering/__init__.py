"""The filter language of listings and searches: AIP-160, kept small.

A filter is parsed against the fields that a listing offers, every value read as its field's type
while parsing, so that evaluating one cannot fail. Length, terms and nesting are bounded; matching
a pattern takes time in proportion to the text.
"""

from __future__ import annotations

from .fields import FieldKind, FilterField
from .parser import Filter, parse_filter
from .restriction import Comparator, Restriction

__all__ = ["Comparator", "FieldKind", "Filter", "FilterField", "Restriction", "parse_filter"]
