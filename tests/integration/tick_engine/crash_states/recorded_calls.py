"""What a process asked of its file system, recorded by strace.

Only calls that change files are kept, with the whole of what they wrote. A call has the place where
it began and the place where it ended: another thread's may lie between.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Call", "record"]

ROOT = Path(__file__).resolve().parents[4]
_TRACED = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,"
    "ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,"
    "link,linkat,symlink,symlinkat,copy_file_range,sendfile"
)
_LINE = re.compile(r"(?P<thread>\d+) +(?P<text>.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)", re.DOTALL)
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)")
_BYTES = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"(?P<number>-?\d+|AT_FDCWD)<(?P<path>[^>]*)>")
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded.

    Attributes:
        name: Its name, without what tells variants apart: `write`, `sync`, `truncate`, `open`,
            `rename`, `remove`, `make_directory`.
        path: The file; of an open descriptor, where it was at the time.
        target: Where a file was moved to.
        offset: Where was written, or to which length was cut; -1 behind the last write.
        content: What was written.
        flags: How it was opened, as strace puts it.
        began: Its place among all begins and ends.
        ended: The place of its end.
    """

    name: str
    path: str
    target: str = ""
    offset: int = 0
    content: bytes = b""
    flags: str = ""
    began: int = 0
    ended: int = 0


def record(module: str, arguments: Sequence[str], *, trace: Path) -> list[Call]:
    """Run `python -m module` to its end and return what it asked of its file system, in order."""
    strace = shutil.which("strace")
    assert strace is not None, "strace is missing: run 'make deps'"
    subprocess.run(
        [
            *(strace, "-f", "-y", "-xx", "-s", str(1 << 24), "-e", "abbrev=none"),
            *("-e", "signal=none", "-e", f"trace={_TRACED}", "-o", str(trace)),
            *(sys.executable, "-m", module, *arguments),
        ],
        check=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.DEVNULL,
    )
    return list(_calls(trace.read_text().splitlines()))


def _calls(lines: Sequence[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, str]] = {}
    found: list[Call] = []
    for place, line in enumerate(lines):
        parts = _LINE.match(line)
        assert parts is not None, line[:200]
        thread, text = parts["thread"], parts["text"]
        began = place
        resumed = _RESUMED.match(text)
        if resumed is not None:
            began, before = begun.pop(thread)
            text = before + resumed["rest"]
        elif text.endswith(_UNFINISHED):
            begun[thread] = (place, text.removesuffix(_UNFINISHED))
            continue
        whole = _WHOLE.match(text)
        if whole is None or whole["result"].startswith(("-", "?")):
            continue
        call = _call(whole["name"], whole["arguments"], int(whole["result"]), began, place)
        if call is not None:
            found.append(call)
    yield from sorted(found, key=lambda call: call.began)


def _call(name: str, arguments: str, result: int, began: int, ended: int) -> Call | None:
    texts = [_plain(each) for each in _BYTES.findall(arguments)]
    descriptors = [_plain_path(each["path"]) for each in _DESCRIPTOR.finditer(arguments)]
    if name in {"open", "openat"}:
        flags = arguments.rsplit('"', 1)[1]
        if "O_CREAT" not in flags and "O_TRUNC" not in flags:
            return None
        return Call("open", _joined(descriptors, texts[0]), flags=flags, began=began, ended=ended)
    if name == "pwritev2":
        # What glibc makes of `pwritev`, with flags behind the offset.
        name, arguments = "pwritev", arguments.rsplit(", ", 1)[0]
    if name in {"write", "writev", "pwrite64", "pwritev"}:
        offset = int(arguments.rsplit(", ", 1)[1]) if name.startswith("p") else -1
        content = b"".join(texts)[:result]
        return Call(
            "write", descriptors[0], offset=offset, content=content, began=began, ended=ended
        )
    if name in {"fsync", "fdatasync"}:
        return Call("sync", descriptors[0], began=began, ended=ended)
    if name == "ftruncate":
        length = int(arguments.rsplit(", ", 1)[1])
        return Call("truncate", descriptors[0], offset=length, began=began, ended=ended)
    if name == "rename":
        source, target = (os.fsdecode(each) for each in texts)
        return Call("rename", source, target=target, began=began, ended=ended)
    if name in {"unlink", "unlinkat"} and "AT_REMOVEDIR" not in arguments:
        return Call("remove", _joined(descriptors, texts[0]), began=began, ended=ended)
    if name in {"mkdir", "mkdirat"}:
        return Call("make_directory", _joined(descriptors, texts[0]), began=began, ended=ended)
    if name in {"rmdir", "unlinkat"}:
        return None  # an empty directory holds nothing: it may as well have stayed
    raise AssertionError(f"a call the rebuilt disk does not know: {name}({arguments[:200]})")


def _joined(descriptors: Sequence[str], path: bytes) -> str:
    """A path, and the directory it is relative to, if one was named."""
    return str(Path(descriptors[0] if descriptors else "", os.fsdecode(path)))


def _plain(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def _plain_path(escaped: str) -> str:
    return os.fsdecode(_plain(escaped)) if escaped.startswith("\\x") else escaped
