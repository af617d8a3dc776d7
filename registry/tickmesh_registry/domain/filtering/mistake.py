"""How a filter that cannot be used is refused."""

from __future__ import annotations

from tickmesh_registry.domain.errors import InvalidArgumentError


def mistake(position: int, description: str) -> InvalidArgumentError:
    """Build the refusal of a filter.

    Args:
        position: Of the character at which it goes wrong, from 0.
        description: What was expected there, what stands there, what to do.
    """
    text = f"at position {position}: {description}"
    return InvalidArgumentError(
        f"filter: {text}",
        metadata={"field": "filter", "position": str(position)},
        violations=(("filter", text),),
    )
