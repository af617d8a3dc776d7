"""Threads for work that would hold up the event loop, and the parsed schemas it needs again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from .cache import BoundedCache
from .domain.errors import LimitExceededError, VersionNotFoundError, VersionRemovedError
from .domain.versions import VersionState
from .formats import FORMATS, Document, SchemaFormats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .domain.changes import Revision
    from .domain.versions import Reference, Version
    from .store import SchemaStore

Params = ParamSpec("Params")
Result = TypeVar("Result")

_THREADS = 2
_MAX_WAITING = 256
_HISTORY_PAGE = 100
_CACHED_DOCUMENT_BYTES = 64 << 20
_BYTES_A_CHARACTER = 100
"""What a parsed schema takes for each character of its text; measured with 20 to 100 properties."""


class Workbench:
    """Parses and compares schemas off the event loop.

    Attributes:
        formats: The schema languages it speaks.
        documents: Parsed schemas by subject and version.
    """

    def __init__(self, store: SchemaStore, *, formats: SchemaFormats = FORMATS) -> None:
        self._store = store
        self.formats = formats
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="schema")
        self._waiting = 0
        self.documents: BoundedCache[tuple[str, int], tuple[Document, int]] = BoundedCache(
            max_weight=_CACHED_DOCUMENT_BYTES, weigh=lambda entry: _BYTES_A_CHARACTER * entry[1]
        )

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function in a thread.

        Raises:
            LimitExceededError: Too much work waits already.
        """
        if self._waiting >= _MAX_WAITING:
            raise LimitExceededError(
                f"{_MAX_WAITING} schema checks wait already; retry later",
                metadata={"limit": str(_MAX_WAITING)},
                retry_after_seconds=1.0,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, partial(function, *args, **kwargs)
            )
        finally:
            self._waiting -= 1

    async def parse(self, format_name: str, text: str, references: Sequence[Reference]) -> Document:
        """Parse a text with its references resolved from the store.

        Raises:
            InvalidSchemaError: The text is no valid schema.
            VersionNotFoundError: A reference leads nowhere.
        """
        language = self.formats.named(format_name)
        pinned: dict[str, Document] = {}
        for reference in references:
            pinned[reference.name] = await self.registered(reference)
        return await self.run(language.parse, text, pinned)

    async def registered(self, reference: Reference) -> Document:
        """The parsed schema that a reference is pinned to.

        Raises:
            VersionNotFoundError: There is no such version.
            VersionRemovedError: It was removed for good.
        """
        known = self.documents.get((reference.subject, reference.version))
        if known is not None:
            return known[0]
        async with self._store.snapshot() as reader:
            version = await reader.version(reference.subject, reference.version)
        if version is None:
            raise VersionNotFoundError.of(reference.subject, reference.version)
        return await self.document(version)

    async def document(self, version: Version) -> Document:
        """The parsed schema of a version; raises VersionRemovedError for a removed one."""
        if version.state is VersionState.REMOVED:
            raise VersionRemovedError.of(version.subject, version.version)
        key = (version.subject, version.version)
        known = self.documents.get(key)
        if known is not None:
            return known[0]
        document = await self.parse(version.format, version.text, version.references)
        self.remember(version, document)
        return document

    async def history(self, subject: str, numbers: Sequence[int]) -> list[tuple[int, Document]]:
        """The parsed schemas of versions of a subject, by ascending numbers.

        One that was removed for good is left out: its text is gone.
        """
        found = {number: self.documents.get((subject, number)) for number in numbers}
        documents = {number: entry[0] for number, entry in found.items() if entry is not None}
        missing = [number for number in numbers if number not in documents]
        after = missing[0] - 1 if missing else 0
        while missing and after < missing[-1]:
            async with self._store.snapshot() as reader:
                page = await reader.versions(subject, after=after, limit=_HISTORY_PAGE)
            for version in page:
                if version.state is VersionState.REMOVED:
                    continue
                if version.version in found and version.version not in documents:
                    documents[version.version] = await self.document(version)
            after = page[-1].version
        return [(number, documents[number]) for number in numbers if number in documents]

    def remember(self, version: Version, document: Document) -> None:
        """Keep a schema that was just registered: the next candidate is compared with it."""
        self.documents.put((version.subject, version.version), (document, len(version.text) + 1))

    def published(self, revision: Revision) -> None:
        """Forget the schemas of versions that were removed for good."""
        for change in revision.changes:
            if change.schema is not None and change.schema.state is VersionState.REMOVED:
                self.documents.discard((change.subject, change.schema.version))

    def forget(self) -> None:
        """Let go of every parsed schema: the store holds another history now."""
        self.documents.clear()

    def close(self) -> None:
        """Let the threads end; work that has not begun is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)
