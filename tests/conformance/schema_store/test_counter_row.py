"""Why revisions come from a counter row: the experiment, on the real database.

Writers in two processes, transactions of different lengths, a follower that reads the log after
the last revision it saw. With a sequence it misses what commits late; with the store, nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.registry_values import register
from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store.sql.postgres import PostgresStore

if TYPE_CHECKING:
    from tests.support.postgres import PostgresCluster

PROCESSES, WRITERS, EACH = 2, 4, 25

_WRITING = """
import asyncio, json, sys
from tests.conformance.schema_store.test_counter_row import write
print(json.dumps(asyncio.run(write(sys.argv[1], sys.argv[2]))))
"""


async def surely(store: PostgresStore, subject: str) -> int:
    """Register; again if this process stood still with the counter row until it was taken away."""
    while True:
        try:
            return (await register(store, subject)).revision
        except StoreUnavailableError as error:
            if "nothing was written" not in error.message:
                raise


async def write(url: str, name: str) -> list[int]:
    """One process: several writers, each its own subject; the revisions acknowledged."""
    store = PostgresStore(url, new_epoch=lambda: "unused", sessions=2)
    await store.open()

    async def one(writer: int) -> list[int]:
        return [await surely(store, f"{name}.{writer}") for _ in range(EACH)]

    try:
        lines = await asyncio.gather(*(one(writer) for writer in range(WRITERS)))
    finally:
        await store.close()
    return [revision for line in lines for revision in line]


async def test_w3_a_follower_of_eight_writers_in_two_processes_misses_nothing(
    registry_database: str,
) -> None:
    store = PostgresStore(registry_database, new_epoch=lambda: "unused", sessions=2)
    heard: list[int] = []
    everything = asyncio.Event()
    total = PROCESSES * WRITERS * EACH

    def take(revision: int) -> None:
        heard.append(revision)
        if revision == total:
            everything.set()

    store.on_commit(lambda revision, _: take(revision.revision))
    await store.open()
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _WRITING, registry_database, f"process{number}"),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        )
        for number in range(PROCESSES)
    ]
    answers = [(await process.communicate())[0] for process in processes]
    acknowledged = [revision for answer in answers for revision in json.loads(answer)]
    async with asyncio.timeout(120):
        await everything.wait()
    await store.close()
    assert sorted(acknowledged) == list(range(1, total + 1))
    assert heard == list(range(1, total + 1))


async def test_the_same_with_a_sequence_would_miss_what_commits_late(
    registry_database: str, postgres: PostgresCluster
) -> None:
    """The control: it shows that the experiment above can fail."""
    database = urlsplit(registry_database).path[1:]
    admin = await postgres.connect(database)
    await admin.execute("CREATE TABLE sequenced (revision bigserial PRIMARY KEY)")
    written = 0
    chance = random.Random(5)

    async def writer() -> None:
        nonlocal written
        connection = await postgres.connect(database)
        for _ in range(EACH):
            async with connection.transaction():
                await connection.execute("INSERT INTO sequenced DEFAULT VALUES")
                await asyncio.sleep(chance.uniform(0.0, 0.004))  # a transaction takes its time
            written += 1
        await connection.close()

    seen = 0

    async def follow(writing: asyncio.Future[list[None]]) -> None:
        nonlocal seen
        last = 0
        while True:
            ended = writing.done()
            for row in await admin.fetch(
                "SELECT revision FROM sequenced WHERE revision > $1 ORDER BY revision", last
            ):
                last = row["revision"]
                seen += 1
            if ended:
                return

    writing = asyncio.gather(*(writer() for _ in range(PROCESSES * WRITERS)))
    await follow(writing)
    await admin.close()
    assert written == PROCESSES * WRITERS * EACH
    assert seen < written
