"""What can be said of a change set before anything is read: bounds and permissions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .domain.bounds import (
    MAX_INSTANT_NS,
    require_labels,
    require_references,
    require_request_id,
    require_subject,
)
from .domain.errors import InvalidArgumentError, PermissionDeniedError, RegistryError
from .domain.evidence import require_data_report
from .proposal import PolicyChange, Proposal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .proposal import ChangeSet

    ItemNaming = Callable[[int, Proposal | PolicyChange], AbstractContextManager[None]]
    """Says in every error which item it is about."""

ALLOW_BREAKING = "registry.schemas.allow_breaking"
BACKDATE = "registry.schemas.backdate"
WRITE_SETTINGS = "registry.settings.write"

_MAX_ITEMS = 100


class Requirements:
    """Refuses what no registry could do, and what this principal may not."""

    def __init__(self, *, clock: Clock, grants: Grants) -> None:
        self._clock = clock
        self._grants = grants

    def check(self, change_set: ChangeSet, call: CallContext, naming: ItemNaming) -> None:
        """Check a change set.

        Raises:
            InvalidArgumentError: A field is out of bounds.
            PermissionDeniedError: Something asked for is not granted.
        """
        require_request_id(change_set.request_id)
        if not 1 <= len(change_set.items) <= _MAX_ITEMS:
            raise InvalidArgumentError.of(
                "items", f"expected 1 to {_MAX_ITEMS}, got {len(change_set.items)}"
            )
        seen: set[tuple[type, str]] = set()
        for position, item in enumerate(change_set.items):
            with naming(position, item):
                if (type(item), item.subject) in seen:
                    raise InvalidArgumentError.of(
                        "subject",
                        f"{item.subject!r} is named by an earlier item of this kind; one revision "
                        "changes a resource once: use two change sets",
                    )
                seen.add((type(item), item.subject))
                if isinstance(item, PolicyChange):
                    self._check_policy(item, call)
                else:
                    self._check_proposal(item, call)

    def require(self, permission: str, call: CallContext) -> None:
        """Raise PermissionDeniedError unless the caller holds a permission."""
        if not self._grants(call.principal, permission):
            raise PermissionDeniedError(
                f"{call.principal.name} lacks the permission {permission}",
                metadata={"principal": call.principal.name, "permission": permission},
            )

    def _check_policy(self, change: PolicyChange, call: CallContext) -> None:
        if change.subject:
            require_subject(change.subject)
        self.require(WRITE_SETTINGS, call)

    def _check_proposal(self, proposal: Proposal, call: CallContext) -> None:
        require_subject(proposal.subject)
        require_labels(proposal.labels)
        require_references(proposal.references)
        if proposal.expected_version is not None and proposal.expected_version < 0:
            raise InvalidArgumentError.of(
                "expected_version", f"expected 0 or more, got {proposal.expected_version}"
            )
        if proposal.data_report is not None:
            require_data_report(proposal.data_report)
        if proposal.allow_breaking:
            self.require(ALLOW_BREAKING, call)
        effective_from_ns = proposal.effective_from_ns
        if effective_from_ns is not None:
            if not 0 <= effective_from_ns <= MAX_INSTANT_NS:
                raise InvalidArgumentError.of(
                    "effective_from", f"expected 1970 to 2262, got {effective_from_ns} ns"
                )
            if effective_from_ns < self._clock.now_ns():
                self.require(BACKDATE, call)


@contextmanager
def naming_items(position: int, item: Proposal | PolicyChange) -> Iterator[None]:
    """Say in every error raised inside which item of a change set it is about."""
    try:
        yield
    except RegistryError as error:
        kind = "policy" if isinstance(item, PolicyChange) else "registration"
        raise of_item(error, position, kind) from error


@contextmanager
def naming_nothing(position: int, item: Proposal | PolicyChange) -> Iterator[None]:  # noqa: ARG001
    """Leave errors as they are: there is only one item, and the caller knows of no set."""
    yield


def of_item(error: RegistryError, position: int, kind: str) -> RegistryError:
    """An error with its fields named from the change set's root."""
    prefix = f"items[{position}].{kind}"
    metadata = {**error.metadata, "item": str(position)}
    about = f"items[{position}]: "
    if "field" in metadata:
        metadata["field"] = f"{prefix}.{metadata['field']}"
        about = f"{prefix}."
    return type(error)(
        about + error.message,
        metadata=metadata,
        violations=[(f"{prefix}.{field}", text) for field, text in error.violations],
        resource=error.resource,
        retry_after_seconds=error.retry_after_seconds,
    )
