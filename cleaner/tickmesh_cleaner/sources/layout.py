"""Which source spec a file is read by when it came without one."""

from __future__ import annotations

from pathlib import Path

from tickmesh.decoding.source_spec import (
    Format,
    SourceSpec,
    SourceSpecError,
    identity_spec,
)
from tickmesh_cleaner.domain.errors import InvalidSourceSpecError

_FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".log": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".arrow": Format.ARROW,
    ".arrows": Format.ARROW,
    ".feather": Format.ARROW,
    ".ipc": Format.ARROW,
}
_PACKINGS = {".gz", ".zst"}


def parse_spec(text: str) -> SourceSpec:
    """A source spec from TOML.

    Raises:
        InvalidSourceSpecError: With the key that is wrong.
    """
    try:
        return SourceSpec.from_toml(text)
    except SourceSpecError as error:
        raise InvalidSourceSpecError(error.message, key=error.key) from error


def spec_of(text: str, *, file_name: str) -> SourceSpec:
    """The spec given, or the one of a file whose column names are the schema's.

    Args:
        text: The spec, TOML; empty when there is none.
        file_name: The file's name: its ending says the format.

    Raises:
        InvalidSourceSpecError: The spec is wrong, or the ending says nothing.
    """
    if text:
        return parse_spec(text)
    endings = [ending.lower() for ending in Path(file_name).suffixes]
    if endings and endings[-1] in _PACKINGS:
        endings.pop()
    if not endings or endings[-1] not in _FORMATS:
        raise InvalidSourceSpecError(
            f"the name {file_name!r} does not say the format; expected an ending such as .csv, "
            ".jsonl, .parquet or .arrow (.gz and .zst may follow), or a source spec with `format`",
            key="format",
        )
    return identity_spec(_FORMATS[endings[-1]])
