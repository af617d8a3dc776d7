"""Typed settings from four sources; the last one wins: defaults < TOML file < environment < flags.

A settings class is a frozen dataclass, nested by concern, with a default for every field. A key is
the path of field names joined by dots (`store.url`); in the environment it is upper-cased, joined
by two underscores and prefixed with `TICKMESH_` and the section: `TICKMESH_REGISTRY__STORE__URL`.
An unknown key is an error that names the nearest known one.
"""

import dataclasses
import difflib
import enum
import functools
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from tickmesh.errors import ConfigError

SECTIONS = ("client", "registry", "cleaner", "tickstore")
"""The tables a configuration file may hold, one a reader."""

ENVIRONMENT_PREFIX = "TICKMESH_"
_SEPARATOR = "__"

ConfigT = TypeVar("ConfigT")


class Secret:
    """A text that never shows itself: not in `repr`, not in logs, not in `config show`.

    In a file it is the text itself or `{ file = "/path" }`; in the environment the variable holds
    the text, or the same name with `__FILE` holds a path. Secrets are never taken from flags, which
    every user of the machine can read.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; call this where it is used and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """An address that may hold a password; it shows itself without it.

    What hides it must never fail on what it does not understand: anything before the last `@` and
    every parameter is left out.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"SecretUrl({str(self)!r})"

    def __str__(self) -> str:
        text = self.reveal().partition("?")[0]
        scheme, separator, rest = text.partition("://")
        credentials, at, place = rest.rpartition("@")
        user, colon, _ = credentials.partition(":")
        hidden = f"{user}:***" if colon else user
        return f"{scheme}{separator}{hidden}{at}{place}"


@dataclasses.dataclass(frozen=True)
class Setting:
    """One effective setting, as `config show` prints it."""

    key: str
    """Section and path: `registry.serving.grpc_port`."""
    value: str
    """The value as text; secrets are redacted."""
    source: str
    """Where it came from: `default`, `file …`, `environment …` or `flag`."""


Provenance = Mapping[str, str]
"""Source of every setting by its key (without the section)."""


def load_config(
    config_class: type[ConfigT],
    *,
    section: str,
    toml: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
) -> tuple[ConfigT, Provenance]:
    """Load settings of one section.

    Args:
        config_class: a frozen dataclass with a default for every field.
        section: the table of the file and the prefix of the variables.
        toml: the file; None, or one that does not exist, counts as empty.
        environ: the environment.
        flags: by key; a None means that the flag was not given.

    Returns:
        The settings, and the source of each.

    Raises:
        ConfigError: a key is unknown, a value has the wrong type or is refused by the class, or the
            file cannot be read. The message names the key and the source.
    """
    sources: list[tuple[str, Mapping[str, object]]] = []
    if toml is not None:
        sources.append((f"file {toml}", dict(_leaves(config_class, _read_table(toml, section)))))
    variables = _from_environment(config_class, section, environ)
    given = {key: value for key, value in flags.items() if value is not None}

    fields = dict(_fields(config_class))
    values: dict[str, object] = {}
    provenance = dict.fromkeys(fields, "default")
    for source, entries in (*sources, *variables, ("flag", given)):
        for key, raw in entries.items():
            kind, known = _locate(fields, key, section=section, source=source)
            if dataclasses.is_dataclass(kind):
                raise ConfigError(f"expected a table ({source})", key=f"{section}.{key}")
            if _is_secret(kind) and source == "flag":
                raise ConfigError("a secret is never taken from a flag", key=f"{section}.{key}")
            value = _convert(raw, kind, key=f"{section}.{key}", source=source)
            if key != known:  # an entry of a mapping
                values.setdefault(known, {})
                typing.cast("dict[str, object]", values[known])[key[len(known) + 1 :]] = value
            else:
                values[key] = value
            provenance[known] = source
    return _build(config_class, values, section=section), provenance


def describe_config(config: object, provenance: Provenance, *, section: str) -> list[Setting]:
    """Return every effective setting with its source, in declaration order, secrets redacted."""
    return [
        Setting(f"{section}.{key}", _render(_value_at(config, key)), provenance.get(key, "default"))
        for key, _ in _fields(type(config))
    ]


def environment_name(section: str, key: str) -> str:
    """Return the variable that sets a key: `TICKMESH_REGISTRY__STORE__URL`."""
    return ENVIRONMENT_PREFIX + _SEPARATOR.join((section, *key.split("."))).upper()


def _read_table(path: Path, section: str) -> Mapping[str, object]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    for name in document:
        if name not in SECTIONS:
            raise ConfigError(
                f"unknown table [{name}] in {path}{_nearest(name, SECTIONS)}", key=name
            )
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"expected a table in {path}, was {type(table).__name__}", key=section)
    return table


def _hints(config_class: type[object]) -> Mapping[str, object]:
    return typing.get_type_hints(config_class)


def _fields(config_class: type, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield (key, type) of every leaf setting."""
    hints = _hints(config_class)
    for field in dataclasses.fields(config_class):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from _fields(typing.cast("type", kind), f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", kind


def _bare(kind: object) -> object:
    """Return T of `T | None`, else the type itself."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        return next(option for option in typing.get_args(kind) if option is not type(None))
    return kind


def _is_secret(kind: object) -> bool:
    bare = _bare(kind)
    return isinstance(bare, type) and issubclass(bare, Secret)


def _mapping_value_type(kind: object) -> object | None:
    """Return V of Mapping[str, V], else None."""
    return typing.get_args(kind)[1] if typing.get_origin(kind) is Mapping else None


def _leaves(
    config_class: type, table: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, object]]:
    """Flatten a TOML table to (key, value); unknown keys pass, to be named by the caller."""
    fields = dict(_fields(config_class))
    for name, value in table.items():
        key = f"{prefix}{name}"
        kind = fields.get(key)
        if isinstance(value, dict) and not _is_secret(kind):
            if kind is not None and _mapping_value_type(kind) is not None:
                yield from _entries(kind, value, key)
            else:
                yield from _leaves(config_class, value, f"{key}.")
        else:
            yield key, value


def _entries(kind: object, table: Mapping[str, object], key: str) -> Iterator[tuple[str, object]]:
    """Flatten the entries of a mapping; those that are tables of their own, to their settings."""
    for entry, inner in table.items():
        if dataclasses.is_dataclass(_mapping_value_type(kind)) and isinstance(inner, dict):
            yield from ((f"{key}.{entry}.{name}", value) for name, value in inner.items())
        else:
            yield f"{key}.{entry}", inner


def _from_environment(
    config_class: type, section: str, environ: Mapping[str, str]
) -> list[tuple[str, Mapping[str, object]]]:
    prefix = f"{ENVIRONMENT_PREFIX}{section.upper()}{_SEPARATOR}"
    fields = dict(_fields(config_class))
    found: list[tuple[str, Mapping[str, object]]] = []
    for name in sorted(environ):
        if not name.startswith(prefix):
            continue
        key = name[len(prefix) :].lower().replace(_SEPARATOR, ".")
        value: object = environ[name]
        owner = key.removesuffix(".file")
        if key != owner and _is_secret(_type_at(fields, owner)):
            key, value = owner, {"file": value}
        found.append((f"environment {name}", {key: value}))
    return found


def _locate(
    fields: Mapping[str, object], key: str, *, section: str, source: str
) -> tuple[object, str]:
    """Return (type of the value, key of the field) or raise naming the nearest key."""
    if key in fields:
        return fields[key], key
    owner = _mapping_around(fields, key)
    known: Mapping[str, object] = fields
    if owner:
        inner = _mapping_value_type(fields[owner])
        name, _, setting = key[len(owner) + 1 :].partition(".")
        if not (dataclasses.is_dataclass(inner) and setting):
            return inner, owner
        settings = dict(_fields(typing.cast("type", inner)))
        if setting in settings:
            return settings[setting], owner
        known = {f"{owner}.{name}.{one}": kind for one, kind in settings.items()}
    raise ConfigError(f"unknown key in {source}{_nearest(key, known)}", key=f"{section}.{key}")


def _mapping_around(fields: Mapping[str, object], key: str) -> str:
    """The key of the mapping that an entry belongs to; empty when it belongs to none."""
    owner = key.rpartition(".")[0]
    while owner and _mapping_value_type(fields.get(owner)) is None:
        owner = owner.rpartition(".")[0]
    return owner


def _type_at(fields: Mapping[str, object], key: str) -> object:
    """The type of a setting, also of one in a table of a mapping; None when there is none."""
    try:
        return _locate(fields, key, section="", source="")[0]
    except ConfigError:
        return None


def _nearest(name: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"; did you mean {matches[0]}?" if matches else ""


def _convert(raw: object, kind: object, *, key: str, source: str) -> object:
    """Turn a value of a source into the field's type."""
    if _bare(kind) is not kind:
        return None if raw in ("", None) else _convert(raw, _bare(kind), key=key, source=source)
    if typing.get_origin(kind) is tuple:
        items = raw
        if isinstance(raw, str):
            items = [part.strip() for part in raw.split(",") if part.strip()]
        if not isinstance(items, list | tuple):
            raise _mismatch("a list", raw, key, source)
        element = typing.get_args(kind)[0]
        return tuple(_convert(item, element, key=key, source=source) for item in items)
    if typing.get_origin(kind) is typing.Literal:
        if raw not in typing.get_args(kind):
            expected = ", ".join(str(choice) for choice in typing.get_args(kind))
            raise _mismatch(f"one of {expected}", raw, key, source)
        return raw
    if _is_secret(kind):
        return _secret(raw, typing.cast("type[Secret]", kind), key=key, source=source)
    return _scalar(raw, kind, key=key, source=source)


def _secret(raw: object, kind: type[Secret], *, key: str, source: str) -> Secret:
    if isinstance(raw, kind):
        return raw
    if isinstance(raw, str):
        return kind(raw)
    if isinstance(raw, dict) and set(raw) == {"file"}:
        path = Path(str(raw["file"]))
        try:
            return kind(path.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise ConfigError(
                f"cannot read the secret's file {path} ({source}): {error.strerror}", key=key
            ) from error
    # The value itself stays out of the message: it may be the secret in the wrong shape.
    raise ConfigError(f'expected a text or {{ file = "…" }} ({source})', key=key)


def _scalar(raw: object, kind: object, *, key: str, source: str) -> object:
    text = raw.strip() if isinstance(raw, str) else None
    if kind is bool:
        if isinstance(raw, bool):
            return raw
        if text is not None and text.lower() in {"true", "1", "false", "0"}:
            return text.lower() in {"true", "1"}
        raise _mismatch("true or false", raw, key, source)
    if kind is int or kind is float:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            if kind is float or isinstance(raw, int):
                return kind(raw)
        elif text is not None:
            try:
                return kind(text)
            except ValueError:
                pass
        raise _mismatch("a whole number" if kind is int else "a number", raw, key, source)
    if kind is str and isinstance(raw, str):
        return raw
    if kind is Path and isinstance(raw, str | Path):
        return Path(raw).expanduser()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        if isinstance(raw, kind):
            return raw
        try:
            return kind(raw)
        except ValueError:
            choices = ", ".join(str(member.value) for member in kind)
            raise _mismatch(f"one of {choices}", raw, key, source) from None
    raise _mismatch(f"a {getattr(kind, '__name__', kind)}", raw, key, source)


def _mismatch(expected: str, raw: object, key: str, source: str) -> ConfigError:
    return ConfigError(f"expected {expected}, was {raw!r} ({source})", key=key)


def _build(
    config_class: type[ConfigT], values: Mapping[str, object], *, section: str, prefix: str = ""
) -> ConfigT:
    hints = _hints(config_class)
    arguments: dict[str, object] = {}
    for field in dataclasses.fields(typing.cast("type", config_class)):
        key = f"{prefix}{field.name}"
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            arguments[field.name] = _build_nested(field, kind, values, section=section, prefix=key)
        elif key in values:
            arguments[field.name] = _with_tables(kind, values[key], section=section, prefix=key)
    where = f"{section}.{prefix}".rstrip(".")
    for field in dataclasses.fields(typing.cast("type", config_class)):
        unset = field.default is field.default_factory is dataclasses.MISSING
        if unset and field.name not in arguments:
            raise ConfigError("expected a value, there is none", key=f"{where}.{field.name}")
    try:
        return config_class(**arguments)
    except ValueError as error:
        raise ConfigError(str(error), key=where) from error


def _build_nested(
    field: "dataclasses.Field[object]",
    kind: object,
    values: Mapping[str, object],
    *,
    section: str,
    prefix: str,
) -> object:
    """Build a nested part: the outer class's own default for it, changed where a source speaks."""
    nested_class = typing.cast("type[object]", kind)
    if field.default is not dataclasses.MISSING:
        start: object = field.default
    elif field.default_factory is not dataclasses.MISSING:
        start = field.default_factory()
    else:
        return _build(nested_class, values, section=section, prefix=f"{prefix}.")
    merged = {f"{prefix}.{key}": _value_at(start, key) for key, _ in _fields(nested_class)}
    merged.update({key: value for key, value in values.items() if key.startswith(f"{prefix}.")})
    return _build(nested_class, merged, section=section, prefix=f"{prefix}.")


def _with_tables(kind: object, value: object, *, section: str, prefix: str) -> object:
    """The value of a setting; a mapping of tables gets each of them built."""
    inner = _mapping_value_type(kind)
    if not dataclasses.is_dataclass(inner):
        return value
    entries = typing.cast("Mapping[str, object]", value)
    built: dict[str, object] = {
        name: entry for name, entry in entries.items() if dataclasses.is_dataclass(entry)
    }
    for name in dict.fromkeys(key.partition(".")[0] for key in entries if key not in built):
        settings = {f"{prefix}.{key}": entry for key, entry in entries.items()}
        built[name] = _build(
            typing.cast("type[object]", inner),
            settings,
            section=section,
            prefix=f"{prefix}.{name}.",
        )
    return built


def _value_at(config: object, key: str) -> object:
    return functools.reduce(getattr, key.split("."), config)


def _render(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_render(item)}" for name, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(_render(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = (f"{key} {_render(_value_at(value, key))}" for key, _ in _fields(type(value)))
        return f"({', '.join(shown)})"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value) if isinstance(value, enum.Enum) else str(value)
