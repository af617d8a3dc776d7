"""Kinds of JSON record in a sample: which field tells them apart, and how often each comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tickmesh.decoding.json_documents import NumberToken, join_path
from tickmesh.decoding.source_spec import Condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MOST_KINDS: Final = 32


@dataclass(frozen=True, slots=True)
class Shape:
    """Records that belong together.

    Attributes:
        name: What to call the kind.
        when: What tells it; None when there is only one.
        documents: The records of the sample, by index.
    """

    name: str
    when: Condition | None
    documents: tuple[int, ...]


def shapes_of(documents: Sequence[Mapping[str, Any]]) -> list[Shape]:
    """The kinds of record, most frequent first; a single one without a condition if all agree."""
    leaves = [dict(leaves_of(document)) for document in documents]
    outlines = [_outline(each) for each in leaves]
    if len(set(outlines)) == 1 or not _conflict(leaves):
        return [Shape("record", None, tuple(range(len(documents))))]
    path = _discriminator(leaves, outlines)
    groups: defaultdict[str | None, list[int]] = defaultdict(list)
    for index, each in enumerate(leaves):
        value = each.get(path) if path is not None else None
        groups[value if isinstance(value, str) else None].append(index)
    shapes = []
    for value, members in groups.items():
        if value is not None and path is not None:
            condition = Condition(path=join_path(path), equals=value)
            shapes.append(Shape(value, condition, tuple(members)))
    shapes.extend(_told_by_presence(groups.get(None, []), leaves, path))
    if len(shapes) == 1:
        return [Shape("record", None, tuple(range(len(documents))))]
    return sorted(shapes, key=lambda shape: -len(shape.documents))


def leaves_of(
    document: Mapping[str, Any], parents: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a record that are not objects, by path; empty objects count as values."""
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from leaves_of(value, (*parents, name))
        else:
            yield (*parents, name), value


def kind_of(value: object) -> str:
    """The JSON type of a value read by ``read_record``."""
    if value is None:
        return "null"
    if isinstance(value, NumberToken):
        return "number"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _outline(leaves: Mapping[tuple[str, ...], Any]) -> frozenset[tuple[str, ...]]:
    return frozenset(leaves)


def _conflict(leaves: Sequence[Mapping[tuple[str, ...], Any]]) -> bool:
    """Whether the records cannot well be one table: types clash, or most names are not shared."""
    kinds: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    presence: Counter[tuple[str, ...]] = Counter()
    for each in leaves:
        presence.update(each.keys())
        for path, value in each.items():
            kinds[path].add(kind_of(value))
    if any(len(found - {"null"}) > 1 for found in kinds.values()):
        return True
    prefixes = {path[:size] for path in kinds for size in range(1, len(path))}
    if any(path in prefixes for path in kinds):
        return True
    shared = sum(count >= len(leaves) * 0.5 for count in presence.values())
    return shared * 2 < len(presence)


def _discriminator(
    leaves: Sequence[Mapping[tuple[str, ...], Any]],
    outlines: Sequence[frozenset[tuple[str, ...]]],
) -> tuple[str, ...] | None:
    """The text field whose few values go together with what fields there are."""
    best: tuple[tuple[int, int, int], tuple[str, ...]] | None = None
    candidates = Counter(
        path for each in leaves for path, value in each.items() if kind_of(value) == "string"
    )
    for path, count in candidates.items():
        if count < len(leaves) * 0.5:
            continue
        seen: defaultdict[str, set[frozenset[tuple[str, ...]]]] = defaultdict(set)
        for each, outline in zip(leaves, outlines, strict=True):
            value = each.get(path)
            if isinstance(value, str) and not isinstance(value, NumberToken):
                seen[value].add(outline)
        if not 1 < len(seen) <= _MOST_KINDS:
            continue
        score = (sum(map(len, seen.values())), len(path), len(seen))
        if best is None or score < best[0]:
            best = score, path
    return None if best is None else best[1]


def _told_by_presence(
    members: Sequence[int],
    leaves: Sequence[Mapping[tuple[str, ...], Any]],
    path: tuple[str, ...] | None,
) -> Iterator[Shape]:
    """Kinds of the records that lack the telling field, told by a field no others have."""
    rest = list(members)
    outside = {
        place for index, each in enumerate(leaves) if index not in set(members) for place in each
    }
    while rest:
        counts = Counter(place for index in rest for place in leaves[index])
        own = [place for place in counts if place not in outside] or list(counts)
        if not own:
            return
        chosen = min(own, key=lambda place: (-counts[place], len(place), -len(place[-1]), place))
        taken = tuple(index for index in rest if chosen in leaves[index])
        name = f"with {join_path(chosen)}" if path is not None else join_path(chosen)
        yield Shape(name, Condition(path=join_path(chosen), present=True), taken)
        rest = [index for index in rest if index not in set(taken)]
