"""Requests to the registry, built once for the sync and the async client."""

from __future__ import annotations

import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING

from tickmesh._registry.messages import (
    data_report_to_wire,
    kind_to_wire,
    mode_to_wire,
    policy_to_wire,
    state_to_wire,
    timestamp_of,
    undecided_to_wire,
    verdict_to_wire,
)
from tickmesh.api.registry.v1 import (
    change_set_pb2,
    compatibility_pb2,
    schema_pb2,
    selector_pb2,
)
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.proposals import PolicyChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh.proposals import DataReport, SchemaProposal
    from tickmesh.registered import ChangeKind, UndecidedPolicy, VersionState
    from tickmesh.schema import Mode, Policy, Verdict

PAGE_SIZE = 1000


def register_request(
    subject: str,
    text: str,
    *,
    references: Mapping[str, tuple[str, int]],
    labels: Mapping[str, str],
    effective_from_ns: int | None,
    expected_version: int | None,
    request_id: str | None,
    dry_run: bool,
    allow_breaking: bool,
    ignore_deleted: bool,
    data_report: DataReport | None,
) -> wire.RegisterSchemaRequest:
    """A registration; it always carries a request id, so that a retry is safe."""
    return wire.RegisterSchemaRequest(
        subject=subject,
        format=schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA,
        text=text,
        references=_references(references),
        labels=labels,
        effective_from=None if effective_from_ns is None else timestamp_of(effective_from_ns),
        expected_version=expected_version,
        request_id=request_id or uuid.uuid4().hex,
        dry_run=dry_run,
        allow_breaking=allow_breaking,
        ignore_deleted=ignore_deleted,
        data_report=data_report_to_wire(data_report),
    )


def check_request(
    subject: str,
    text: str,
    *,
    references: Mapping[str, tuple[str, int]],
    versions: Sequence[int],
    mode: Mode | None,
    policy: Policy | None,
    ignore_deleted: bool,
) -> wire.CheckCompatibilityRequest:
    """A question about a candidate."""
    return wire.CheckCompatibilityRequest(
        subject=subject,
        format=schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA,
        text=text,
        references=_references(references),
        versions=versions,
        mode=mode_to_wire(mode),
        policy=policy_to_wire(policy),
        ignore_deleted=ignore_deleted,
    )


def settings_request(
    subject: str | None,
    *,
    mode: Mode | None,
    policy: Policy | None,
    undecided: UndecidedPolicy | None,
) -> wire.SetCompatibilityRequest:
    """New settings for a subject, or the global ones for None."""
    return wire.SetCompatibilityRequest(
        subject=subject or "", settings=_settings(mode, policy, undecided)
    )


def change_set_request(
    items: Sequence[SchemaProposal | PolicyChange], *, request_id: str | None, dry_run: bool
) -> change_set_pb2.ApplyChangeSetRequest:
    """A change set; it always carries a request id, so that a retry is safe."""
    return change_set_pb2.ApplyChangeSetRequest(
        items=map(_change_set_item, items),
        request_id=request_id or uuid.uuid4().hex,
        dry_run=dry_run,
    )


def _change_set_item(item: SchemaProposal | PolicyChange) -> change_set_pb2.ChangeSetItem:
    if isinstance(item, PolicyChange):
        settings = _settings(item.mode, item.policy, item.undecided)
        return change_set_pb2.ChangeSetItem(
            policy=change_set_pb2.ChangeSetPolicy(subject=item.subject or "", settings=settings)
        )
    effective = item.effective_from_ns
    return change_set_pb2.ChangeSetItem(
        registration=change_set_pb2.ChangeSetRegistration(
            subject=item.subject,
            format=schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA,
            text=item.text,
            references=_references(item.references),
            labels=item.labels,
            effective_from=None if effective is None else timestamp_of(effective),
            expected_version=item.expected_version,
            allow_breaking=item.allow_breaking,
            ignore_deleted=item.ignore_deleted,
            data_report=data_report_to_wire(item.data_report),
        )
    )


def _settings(
    mode: Mode | None, policy: Policy | None, undecided: UndecidedPolicy | None
) -> compatibility_pb2.CompatibilitySettings:
    return compatibility_pb2.CompatibilitySettings(
        mode=mode_to_wire(mode),
        policy=policy_to_wire(policy),
        undecided=undecided_to_wire(undecided),
    )


def watch_request(
    *,
    subjects: Sequence[str] = (),
    prefix: str = "",
    kinds: Sequence[ChangeKind] = (),
    states: Sequence[VersionState] = (),
    labels: Mapping[str, str] = MappingProxyType({}),
    verdicts: Sequence[Verdict] = (),
    after_revision: int | None = None,
    after_token: str | None = None,
    snapshot: bool = False,
    include_previous: bool = False,
    progress_seconds: float = 10.0,
) -> wire.WatchRequest:
    """A watch that starts after a token, after a revision, with a snapshot, or now."""
    request = wire.WatchRequest(include_previous=include_previous)
    request.filter.subjects.extend(subjects)
    request.filter.subject_prefix = prefix
    request.filter.kinds.extend(kind_to_wire(kind) for kind in kinds)
    request.filter.states.extend(state_to_wire(state) for state in states)
    request.filter.labels.update(labels)
    request.filter.verdicts.extend(verdict_to_wire(verdict) for verdict in verdicts)
    request.progress_interval.FromNanoseconds(int(progress_seconds * 1e9))
    if after_token is not None:
        request.after_token = after_token
    elif after_revision is not None:
        request.after_revision = after_revision
    elif snapshot:
        request.snapshot.SetInParent()
    else:
        request.now.SetInParent()
    return request


def version_request(subject: str, version: int) -> wire.GetSchemaRequest:
    """One version of a subject."""
    selector = selector_pb2.SubjectSelector(subject=subject, version=version)
    return wire.GetSchemaRequest(subject=selector)


def versions_request(subject: str, page_token: str) -> wire.ListVersionsRequest:
    """One page of a subject's versions."""
    return wire.ListVersionsRequest(subject=subject, page_size=PAGE_SIZE, page_token=page_token)


def _references(references: Mapping[str, tuple[str, int]]) -> list[schema_pb2.SchemaReference]:
    return [
        schema_pb2.SchemaReference(name=name, subject=subject, version=version)
        for name, (subject, version) in references.items()
    ]
