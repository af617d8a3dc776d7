"""What objects and arrays say of members and items that they do not list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.schema.compatibility.confluent.differences import DifferenceKind as Kind

if TYPE_CHECKING:
    from tickmesh.schema.compatibility.confluent.forms import Form
    from tickmesh.schema.compatibility.confluent.outcome import Outcome
    from tickmesh.schema.compatibility.confluent.walk import Walk


def compare_rests(
    walk: Walk,
    outcome: Outcome,
    old: Form,
    new: Form,
    was: str | None,
    now: str | None,
    subject: str,
) -> None:
    """Compare the rests of two forms.

    Args:
        walk: The walk that compares schemas.
        outcome: Where differences go.
        old: The old form.
        new: The new form.
        was: The keyword of the rest in the old form; None admits anything.
        now: The keyword of the rest in the new form; None admits anything.
        subject: ``ADDITIONAL_PROPERTIES`` or ``ADDITIONAL_ITEMS``.
    """
    before = True if was is None else old.schema[was]
    after = True if now is None else new.schema[now]
    if (before is False) != (after is False):
        verb = "ADDED" if before is False else "REMOVED"
    elif before is True and isinstance(after, dict):
        verb = "NARROWED"
    elif after is True and isinstance(before, dict):
        verb = "EXTENDED"
    else:
        if was is not None and now is not None and isinstance(after, dict):
            outcome.include(walk.compare(old.child(was), new.child(now)))
        return
    form, keyword = (old, was) if now is None else (new, now)
    outcome.add(
        Kind.of(subject, verb),
        form,
        str(keyword),
        message=f"{keyword or was} was {_MEANING[verb]}",
    )


_MEANING = {
    "ADDED": "opened",
    "REMOVED": "closed",
    "EXTENDED": "freed of its schema",
    "NARROWED": "bound to a schema",
}
