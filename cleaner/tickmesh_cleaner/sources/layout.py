"""Which source spec a file is read by when it came without one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.sniffing import SNIFFED_BYTES, detect_format
from tickmesh.decoding.source_spec import SourceSpec, SourceSpecError
from tickmesh_cleaner.domain.errors import (
    InvalidSourceSpecError,
    SourceNotFoundError,
    SourceUnreadableError,
)

if TYPE_CHECKING:
    from pathlib import Path


def parse_spec(text: str) -> SourceSpec:
    """A source spec from TOML.

    Raises:
        InvalidSourceSpecError: With the key that is wrong.
    """
    try:
        return SourceSpec.from_toml(text)
    except SourceSpecError as error:
        raise InvalidSourceSpecError(error.message, key=error.key) from error


def spec_of(text: str, *, path: Path, file_name: str) -> SourceSpec:
    """The spec given, or the one of a file whose column names are the schema's.

    Args:
        text: The spec, TOML; empty when there is none.
        path: The file: its first bytes tell the format.
        file_name: The file's name: its ending helps where they do not.

    Raises:
        InvalidSourceSpecError: The spec is wrong.
        SourceUnreadableError: The file is empty, or of no format that is read here.
    """
    if text:
        return parse_spec(text)
    try:
        with path.open("rb") as file:
            return spec_of_bytes(file.read(SNIFFED_BYTES), file_name=file_name)
    except OSError as error:
        raise SourceNotFoundError(file_name) from error


def spec_of_bytes(first_bytes: bytes, *, file_name: str) -> SourceSpec:
    """The spec of a source that came without one, by its first bytes.

    Args:
        first_bytes: Its first 256 KiB.
        file_name: The file's name: its ending helps where they do not.

    Raises:
        SourceUnreadableError: It is empty, or of no format that is read here.
    """
    try:
        detected = detect_format(file_name, first_bytes)
    except DecodeError as error:
        raise SourceUnreadableError(file_name, cause=error.message, offset=error.offset) from error
    # Whether the first record is a header is no guess: without a spec it names the fields.
    return replace(detected.spec(), csv=replace(detected.csv, names=()))
