"""The application without any transport: time, permissions, caches, and what they promise."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.registry_schemas import TRADES, trades
from tickmesh_registry.application import RegistryApplication
from tickmesh_registry.domain.compatibility import Action, Mode, Policy, SettingsOverride
from tickmesh_registry.domain.errors import (
    IncompatibleSchemaError,
    PermissionDeniedError,
    SubjectNotFoundError,
)
from tickmesh_registry.lookup import ByNumber, InForce, Latest
from tickmesh_registry.proposal import Proposal
from tickmesh_registry.requirements import ALLOW_BREAKING, BACKDATE
from tickmesh_registry.store.memory import MemoryStore
from tickmesh_registry.watch import WatchHub
from tickmesh_registry.wire import encode_change
from tickmesh_serving.call_context import CallContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from tickmesh_serving.principal import Principal

SECOND = 1_000_000_000
CALL = CallContext.internal("ada", request_id="r")


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


class Registry:
    """An application over the memory engine."""

    def __init__(self, *, denied: Collection[str] = ()) -> None:
        self.clock = SetClock()
        self.store = MemoryStore(epoch="e")
        self.hub = WatchHub(self.store, encode=encode_change, clock=self.clock)
        self.store.on_commit(self.hub.publish)

        def grants(_principal: Principal, permission: str) -> bool:
            return permission not in denied

        self.application = RegistryApplication(
            self.store, self.hub, clock=self.clock, grants=grants
        )


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    made = Registry()
    yield made
    made.application.close()


async def test_times_never_go_back_along_revisions(registry: Registry) -> None:
    first = await registry.application.register(Proposal("s", TRADES), CALL)
    registry.clock.now -= 100 * SECOND
    second = await registry.application.register(Proposal("s", trades(a={})), CALL)
    assert second.version.registered_at_ns == first.version.registered_at_ns


async def test_a_future_version_comes_into_force_by_the_clock_alone(registry: Registry) -> None:
    application, clock = registry.application, registry.clock
    await application.register(Proposal("s", TRADES), CALL)
    await application.register(
        Proposal("s", trades(a={}), effective_from_ns=clock.now + 10 * SECOND), CALL
    )
    assert (await application.get(InForce("s"), CALL)).version.version == 1
    assert (await application.get(Latest("s"), CALL)).version.version == 2
    clock.now += 10 * SECOND
    assert (await application.get(InForce("s"), CALL)).version.version == 2


async def test_memory_answers_what_the_store_would_after_every_change(registry: Registry) -> None:
    application = registry.application
    for number in range(1, 6):
        text = trades(count={"type": "integer", "title": str(number)})
        registration = await application.register(Proposal("s", text), CALL)
        for _ in range(2):
            found = await application.get(Latest("s"), CALL, min_revision=registration.revision)
            assert found.version == registration.version
            assert found.revision == registration.revision
    assert application.lookup.versions.hits > 0
    assert (await application.get(ByNumber("s", 2), CALL)).version.version == 2


async def test_what_is_missing_is_not_remembered_as_missing(registry: Registry) -> None:
    with pytest.raises(SubjectNotFoundError):
        await registry.application.get(Latest("s"), CALL)
    await registry.application.register(Proposal("s", TRADES), CALL)
    assert (await registry.application.get(Latest("s"), CALL)).version.version == 1


async def test_a_refusal_is_an_event_again_after_an_hour(registry: Registry) -> None:
    application = registry.application
    await application.register(Proposal("s", TRADES), CALL)
    breaking = Proposal("s", trades(required=("a",), a={"type": "integer"}))
    revisions = []
    for wait in (0, 3_599, 1):
        registry.clock.now += wait * SECOND
        with pytest.raises(IncompatibleSchemaError):
            await application.register(breaking, CALL)
        revisions.append(registry.hub.revision)
    assert revisions == [2, 2, 3]


@pytest.mark.parametrize(
    ("permission", "proposal"),
    [
        (ALLOW_BREAKING, Proposal("s", TRADES, allow_breaking=True)),
        (BACKDATE, Proposal("s", TRADES, effective_from_ns=1)),
    ],
)
async def test_breaking_and_backdating_need_permissions_of_their_own(
    permission: str, proposal: Proposal
) -> None:
    denied = Registry(denied={permission})
    with pytest.raises(PermissionDeniedError) as caught:
        await denied.application.register(proposal, CALL)
    assert caught.value.metadata["permission"] == permission
    assert (await denied.application.register(Proposal("s", TRADES), CALL)).revision == 1
    denied.application.close()


async def test_a_settings_change_during_a_judgement_is_judged_again(registry: Registry) -> None:
    """The verdict of a stale mode must not decide."""
    application, store = registry.application, registry.store
    await application.register(Proposal("s", TRADES), CALL)
    await application.set_settings("s", _mode("NONE"), CALL)
    judged, go_on = asyncio.Event(), asyncio.Event()
    transact = store.transact

    async def delayed(body: Any) -> Any:
        judged.set()
        await go_on.wait()
        return await transact(body)

    store.transact = delayed  # type: ignore[method-assign]  # a pause, nothing else
    registering = asyncio.create_task(
        application.register(Proposal("s", trades(required=("a",), a={"type": "integer"})), CALL)
    )
    await judged.wait()
    store.transact = transact  # type: ignore[method-assign]  # and on as before
    await application.set_settings("s", _mode("BACKWARD"), CALL)
    go_on.set()
    with pytest.raises(IncompatibleSchemaError):
        await registering


async def test_the_policy_of_a_subject_judges_and_the_action_stays_that_of_rows(
    registry: Registry,
) -> None:
    """Confluent's rules refuse what rows bear, and let through what rows do not."""
    application = registry.application
    await application.register(Proposal("s", TRADES), CALL)
    await application.set_settings("s", SettingsOverride(policy=Policy.CONFLUENT_STRICT), CALL)
    added = Proposal("s", trades(venue={"type": "string"}))
    with pytest.raises(IncompatibleSchemaError) as caught:
        await application.register(added, CALL)
    assert caught.value.metadata["policy"] == "confluent-strict"
    place, why = caught.value.violations[0]
    assert place == "text#/properties/venue"
    assert "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL" in why
    await application.set_settings("s", SettingsOverride(policy=Policy.CONFLUENT_LENIENT), CALL)
    registered = await application.register(added, CALL)
    assert registered.version.action is Action.COMPATIBLE_CHANGE
    unnamed = json.loads(trades(venue={"type": "string"}))
    unnamed["propertyNames"] = {"pattern": "^[a-u]"}
    broken = await application.register(Proposal("s", json.dumps(unnamed)), CALL)
    assert broken.version.action is Action.BREAKING_CHANGE


def _mode(name: str) -> SettingsOverride:
    return SettingsOverride(mode=Mode(name))
