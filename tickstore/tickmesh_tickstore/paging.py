"""Pages of a listing (AIP-158): how many entries one may hold."""

from __future__ import annotations

from tickmesh_tickstore.errors import InvalidRequestError

_DEFAULT_PAGE, _MAX_PAGE = 100, 1_000


def page_size_of(asked: int) -> int:
    """The entries of one page.

    Raises:
        InvalidRequestError: it is negative.
    """
    if asked < 0:
        raise InvalidRequestError(
            f"page_size must be 0 or more; it was {asked}.",
            metadata={"came": str(asked)},
            violations=[("page_size", "expected 0 for the default, or 1 to 1000")],
        )
    return min(asked or _DEFAULT_PAGE, _MAX_PAGE)
