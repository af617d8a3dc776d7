"""Append-only logs of what sources brought that cannot be asked a second time."""

from tickmesh_cleaner.spool.log import Spool, SpoolDamagedError, SpoolRecord
from tickmesh_cleaner.spool.space import SpoolSpace

__all__ = ["Spool", "SpoolDamagedError", "SpoolRecord", "SpoolSpace"]
