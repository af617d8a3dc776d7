"""Files that are sent to the cleaner: resumable by offset, checked by digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import (
    DigestMismatchError,
    InvalidArgumentError,
    LimitExceededError,
    UploadNotFoundError,
    UploadOffsetError,
)
from tickmesh_cleaner.store.uploads import Upload, UploadStore

if TYPE_CHECKING:
    from io import BufferedWriter

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.identifiers import IdGenerator

MAX_CHUNK_BYTES = 1 << 20
_DIGEST_CHARACTERS = 64


class Uploads:
    """The spool of sent files below one directory."""

    def __init__(
        self,
        store: UploadStore,
        directory: Path,
        *,
        max_upload_bytes: int,
        max_spool_bytes: int,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        """Open the spool.

        Args:
            store: Where uploads are noted.
            directory: Where their bytes lie; created when missing.
            max_upload_bytes: The most one may hold.
            max_spool_bytes: The most all together may hold.
            clock: The clock.
            ids: Names uploads.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._store = store
        self._directory = directory
        self._max_upload_bytes = max_upload_bytes
        self._max_spool_bytes = max_spool_bytes
        self._clock = clock
        self._ids = ids
        self._lock = threading.Lock()
        self._open: set[str] = set()

    @property
    def size_bytes(self) -> int:
        """Bytes of all uploads, finished or not."""
        total = 0
        for path in self._directory.iterdir():
            with contextlib.suppress(FileNotFoundError):  # dropped in between
                total += path.stat().st_size
        return total

    def begin(
        self, *, file_name: str, size_bytes: int, upload_id: str, offset: int, principal: str
    ) -> UploadSession:
        """Begin an upload, or go on with one that broke off.

        Args:
            file_name: The file's name at the sender.
            size_bytes: Its size; 0 when unknown.
            upload_id: The earlier upload to go on with; empty for a new one.
            offset: Where the first chunk belongs.
            principal: Who sends.

        Raises:
            UploadOffsetError: The upload goes on elsewhere; says where.
            LimitExceededError: The file or the spool is too large.
        """
        if not Path(file_name).name:
            raise InvalidArgumentError("header.file_name", "expected a file name, it was empty")
        if size_bytes > self._max_upload_bytes:
            raise LimitExceededError("bytes of an upload", limit=self._max_upload_bytes)
        if upload_id:
            upload = self._store.get(upload_id)
            if upload.principal != principal:
                raise UploadNotFoundError(upload_id)
        else:
            upload = Upload(
                id=self._ids.new_id(),
                file_name=Path(file_name).name,
                principal=principal,
                created_at_ns=self._clock.now_ns(),
            )
            self._store.begin(upload)
        path = self._path(upload.id)
        held = path.stat().st_size if path.exists() else 0
        if offset != held or upload.sha256:
            raise UploadOffsetError(upload.id, expected=held, got=offset)
        with self._lock:
            if upload.id in self._open:
                raise UploadOffsetError(upload.id, expected=held, got=offset)
            self._open.add(upload.id)
        others = self.size_bytes - held
        limit = min(self._max_upload_bytes, max(self._max_spool_bytes - others, 0))
        return UploadSession(self, upload, path, limit=limit)

    def path(self, upload_id: str) -> tuple[Path, Upload]:
        """Where a finished upload lies.

        Raises:
            UploadNotFoundError: There is none, or it is not finished.
        """
        upload = self._store.get(upload_id)
        if not upload.sha256:
            raise UploadNotFoundError(upload_id)
        return self._path(upload_id), upload

    def finished(self, upload: Upload, *, sha256: str, size_bytes: int) -> None:
        """Note that an upload is whole."""
        self._store.finish(upload.id, sha256=sha256, size_bytes=size_bytes)

    def drop(self, upload_id: str) -> None:
        """Forget an upload: its bytes are wrong, or no longer needed."""
        self._store.drop(upload_id)
        self._path(upload_id).unlink(missing_ok=True)

    def closed(self, upload: Upload) -> None:
        """Let an upload be gone on with."""
        with self._lock:
            self._open.discard(upload.id)

    def _path(self, upload_id: str) -> Path:
        return self._directory / upload_id


class UploadSession:
    """One call's part of an upload. Always close it."""

    def __init__(self, uploads: Uploads, upload: Upload, path: Path, *, limit: int) -> None:
        self._uploads = uploads
        self._upload = upload
        self._path = path
        self._limit = limit
        self._file: BufferedWriter = path.open("ab")

    @property
    def upload_id(self) -> str:
        """The upload's id."""
        return self._upload.id

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            LimitExceededError: The file or the spool grows too large.
        """
        if len(chunk) > MAX_CHUNK_BYTES:
            raise InvalidArgumentError(
                "chunk", f"expected at most {MAX_CHUNK_BYTES} bytes, it had {len(chunk)}"
            )
        if self._file.tell() + len(chunk) > self._limit:
            raise LimitExceededError("bytes of uploads", limit=self._limit)
        self._file.write(chunk)

    def finish(self, sha256: str) -> tuple[str, int]:
        """Check and keep the whole file; answers its id and size.

        Raises:
            DigestMismatchError: The bytes are not those that were sent; the upload is dropped.
        """
        if len(sha256) != _DIGEST_CHARACTERS:
            raise InvalidArgumentError(
                "sha256", f"expected {_DIGEST_CHARACTERS} hexadecimal digits"
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        with self._path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != sha256.lower():
            self._uploads.drop(self._upload.id)
            raise DigestMismatchError(expected=sha256, actual=actual)
        size_bytes = self._file.tell()
        self._uploads.finished(self._upload, sha256=actual, size_bytes=size_bytes)
        return self._upload.id, size_bytes

    def close(self) -> None:
        """End this part; what was written stays for a later one."""
        self._file.close()
        self._uploads.closed(self._upload)
