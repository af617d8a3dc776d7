"""Files that were sent, or are being sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from tickmesh_cleaner.domain.errors import UploadNotFoundError
from tickmesh_cleaner.store.tables import UPLOADS

if TYPE_CHECKING:
    from tickmesh_cleaner.store.database import Database


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload.

    Attributes:
        id: Its id.
        file_name: The file's name at the sender.
        principal: Who sends it.
        created_at_ns: When it began.
        sha256: Its digest; empty until all of it is here.
        size_bytes: Its size; 0 until all of it is here.
    """

    id: str
    file_name: str
    principal: str
    created_at_ns: int
    sha256: str = ""
    size_bytes: int = 0


class UploadStore:
    """Keeps and finds uploads. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, upload: Upload) -> None:
        """Note an upload before its first byte."""
        with self._database.write() as connection:
            connection.execute(
                UPLOADS.insert().values(
                    id=upload.id,
                    file_name=upload.file_name,
                    principal=upload.principal,
                    created_at_ns=upload.created_at_ns,
                    sha256="",
                    size_bytes=0,
                )
            )

    def get(self, upload_id: str) -> Upload:
        """One upload.

        Raises:
            UploadNotFoundError: No upload has this id.
        """
        query = select(UPLOADS).where(UPLOADS.c.id == upload_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise UploadNotFoundError(upload_id)
        return Upload(**row)

    def finish(self, upload_id: str, *, sha256: str, size_bytes: int) -> None:
        """Note that all of an upload is here and is what was sent."""
        with self._database.write() as connection:
            connection.execute(
                update(UPLOADS)
                .where(UPLOADS.c.id == upload_id)
                .values(sha256=sha256, size_bytes=size_bytes)
            )

    def drop(self, upload_id: str) -> None:
        """Forget an upload."""
        with self._database.write() as connection:
            connection.execute(UPLOADS.delete().where(UPLOADS.c.id == upload_id))
