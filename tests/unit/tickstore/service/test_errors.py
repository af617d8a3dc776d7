"""Every refusal has one reason of the contract, and a code."""

from __future__ import annotations

import inspect

import pytest

from tickmesh.api.tickstore.v1.error_reason_pb2 import ErrorReason
from tickmesh_serving.call_context import CallContext
from tickmesh_tickstore import errors
from tickmesh_tickstore.actions import ACTION_DESCRIPTIONS, HANDLERS, SERVICE_NAME
from tickmesh_tickstore.app import permission_table
from tickmesh_tickstore.domain import errors as domain

REFUSALS = [
    each
    for module in (domain, errors)
    for _, each in inspect.getmembers(module, inspect.isclass)
    if issubclass(each, domain.TickStoreError)
    and each not in (domain.TickStoreError, errors.ServiceError)
]
INTERNAL = {domain.DatasetDamagedError, domain.DatasetAlreadyExistsError}
"""Never meant for a client: a defect, and what the application handles itself."""


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.__name__)
def test_a_refusal_has_a_reason_of_the_contract_and_a_code(
    refusal: type[domain.TickStoreError],
) -> None:
    if refusal in INTERNAL:
        return
    assert f"ERROR_REASON_{refusal.reason}" in set(ErrorReason.keys())
    assert refusal in errors.CODES


def test_what_is_no_refusal_tells_nothing_but_an_id() -> None:
    status = errors.error_table().to_status(
        ValueError("/srv/secret.db: SELECT 1"), CallContext.internal("test")
    )
    assert "secret" not in str(status)
    assert "error id" in status.message


def test_every_method_and_action_has_a_permission() -> None:
    table = permission_table()
    assert table.missing(f"/{SERVICE_NAME}/{name}" for name in HANDLERS) == []
    assert table.missing(name for name, _ in ACTION_DESCRIPTIONS) == []
