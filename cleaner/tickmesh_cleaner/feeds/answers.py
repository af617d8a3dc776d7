"""What an answer over HTTP holds, and what a spool notes of it: enough to ask on from there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tickmesh.decoding.source_spec import Format
from tickmesh_cleaner.feeds.json_pointer import Part, elements_at, value_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job_source import HttpFeedSource

_FOR_PEOPLE = ("text/html", "application/xhtml+xml", "image/", "video/", "audio/")


@dataclass(frozen=True, slots=True)
class Page:
    """What one body holds.

    Attributes:
        records: The records' bytes one behind the other where they stand in a JSON document; the
            body where it is the format itself. By them it is told whether a page has grown.
        count: How many records a document holds; 0 where the body is the format itself.
        cursor: The cursor of the next page; empty without one.
        code: Why the body holds no records at all; empty when it does.
        message: The same in words.
    """

    records: tuple[bytes, ...] = ()
    count: int = 0
    cursor: str = ""
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class AnswerOrigin:
    """What stands in the spool beside an answer.

    Attributes:
        answer: Its number, from 1.
        walks: Walks over all pages that were ended with it or before it.
        request: The URL it was asked for by.
        etag: Its entity tag.
        modified: Its `Last-Modified`.
        digest: SHA-256 of its body.
        next_url: What is asked next; the same URL when this is the last page for now.
        taken: Records (bytes, where the body is the format) that make up the page by now.
        taken_digest: SHA-256 of them.
        skip: How many of them earlier answers brought.
        code: Why it holds no records at all; empty when it does.
        message: The same in words.
    """

    answer: int
    walks: int
    request: str
    etag: str
    modified: str
    digest: str
    next_url: str
    taken: int
    taken_digest: str
    skip: int
    code: str = ""
    message: str = ""

    def to_bytes(self) -> bytes:
        """As the spool keeps it."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> AnswerOrigin:
        """The inverse of `to_bytes`."""
        return cls(**json.loads(data))


class PageReader:
    """Finds the records of bodies of one feed."""

    def __init__(self, source: HttpFeedSource, spec: SourceSpec) -> None:
        self._source = source
        self._format = spec.format

    def is_document(self, body: bytes) -> bool:
        """Whether the records stand in an array of one JSON document."""
        if self._format is not Format.JSONL:
            return False
        return bool(self._source.records_path) or body.lstrip()[:1] == b"["

    def page(self, body: bytes, content_type: str) -> Page:
        """What a body holds."""
        if content_type.startswith(_FOR_PEOPLE):
            return Page(
                code="WRONG_CONTENT_TYPE",
                message=f"expected {self._format.value} records, got an answer of type "
                f"{content_type}",
            )
        needs_document = self.is_document(body) or bool(self._source.cursor_path)
        if not needs_document:
            return Page(records=(body,))
        try:
            text = body.decode()
            document = json.loads(text)
            cursor = _cursor(value_at(document, self._source.cursor_path))
            if not self.is_document(body):
                return Page(records=(body,), cursor=cursor)
            records = tuple(
                text[part.begin : part.end].encode()
                for part in elements_at(text, self._source.records_path)
            )
        except UnicodeDecodeError as error:
            return Page(code="BAD_UTF8", message=f"expected UTF-8, byte {error.start} is not")
        except json.JSONDecodeError as error:
            return Page(code="MALFORMED", message=f"not JSON: {error.msg} at character {error.pos}")
        except RecursionError:
            return Page(code="MALFORMED", message="the JSON is nested too deeply to be read")
        except ValueError as error:
            return Page(code="NO_RECORDS", message=str(error))
        return Page(records=records, count=len(records), cursor=cursor)

    def parts(self, body: bytes) -> tuple[str, Sequence[Part]]:
        """The text of a document that was found sound, and where its records stand in it."""
        text = body.decode()
        return text, tuple(elements_at(text, self._source.records_path))


def size_of(page: Page) -> int:
    """How much a page holds: records of a document, bytes of any other body."""
    return page.count or sum(map(len, page.records))


def digest_of(page: Page, size: int) -> str:
    """SHA-256 of the first part of a page, to tell whether it has only grown."""
    if page.count:
        # Records are told apart from each other, not only their bytes in a row.
        taken = (b"%d:%b" % (len(record), record) for record in page.records[:size])
        return hashlib.sha256(b"".join(taken)).hexdigest()
    return hashlib.sha256(b"".join(page.records)[:size]).hexdigest()


def _cursor(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)
