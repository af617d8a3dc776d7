"""A port of loopback that nobody else is given while its server is not there."""

from __future__ import annotations

import weakref

from tickmesh_serving.listening import hold_port


class HeldPort:
    """A free port, bound and never listened on: connections to it are refused until a server comes.

    A port that is only looked up, or that a server has left for a moment, may be given to another
    process meanwhile. Servers that reuse addresses, as all do that can be restarted at once, may
    listen on this one again and again. It is let go with this object.

    Attributes:
        number: The port.
    """

    def __init__(self) -> None:
        holder = hold_port()
        self.number: int = holder.getsockname()[1]
        weakref.finalize(self, holder.close)
