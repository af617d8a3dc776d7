"""How the store and a process that runs SQL talk: small JSON messages, and streams of Arrow."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from typing import Any

import pyarrow as pa

__all__ = ["Channel", "readable", "schema_from_text", "schema_to_text"]

_HEADER = struct.Struct("<I")
_MOST_BYTES = 64 << 20


class Channel:
    """One end of a conversation; not for several threads at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """What to wait for a message with."""
        return self._connection.fileno()

    def send(self, message: dict[str, Any], stream: socket.socket | None = None) -> None:
        """Send a message, and with it the end of a stream for the other side to use."""
        body = json.dumps(message).encode()
        descriptors = [] if stream is None else [stream.fileno()]
        sent = socket.send_fds(self._connection, [_HEADER.pack(len(body)) + body], descriptors)
        if sent < _HEADER.size + len(body):
            self._connection.sendall((_HEADER.pack(len(body)) + body)[sent:])

    def receive(self) -> tuple[dict[str, Any] | None, socket.socket | None]:
        """The next message and the stream that came with it; no message once the other is gone."""
        try:
            header, descriptors, _, _ = socket.recv_fds(self._connection, _HEADER.size, 1)
            stream = socket.socket(fileno=descriptors[0]) if descriptors else None
            header += self._exactly(_HEADER.size - len(header)) if header else b""
            if len(header) < _HEADER.size:
                return None, None
            (length,) = _HEADER.unpack(header)
            body = self._exactly(length) if length <= _MOST_BYTES else b""
        except OSError:
            return None, None
        if len(body) < length:
            return None, None
        message: dict[str, Any] = json.loads(body)
        return message, stream

    def close(self) -> None:
        """End the conversation."""
        self._connection.close()

    def _exactly(self, length: int) -> bytes:
        parts: list[bytes] = []
        while length:
            part = self._connection.recv(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


def schema_to_text(schema: pa.Schema) -> str:
    """A schema as text."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """Undo `schema_to_text`."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def readable(stream: socket.socket) -> pa.PythonFile:
    """A stream's end as a file to read; closing it closes the stream."""
    file: Any = os.fdopen(stream.detach(), "rb", buffering=1 << 20)  # the stubs want another class
    return pa.PythonFile(file, mode="r")
