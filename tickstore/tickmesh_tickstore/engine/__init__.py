"""Storage engines for ticks: one interface, a disk engine and a memory engine behind it."""

from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture
from tickmesh_tickstore.engine.disk.engine import DiskEngine
from tickmesh_tickstore.engine.interface import (
    DatasetInfo,
    DatasetStatistics,
    Followed,
    Follower,
    Judge,
    ScanPlan,
    TickEngine,
    Upload,
)
from tickmesh_tickstore.engine.memory.engine import MemoryEngine
from tickmesh_tickstore.engine.row_stream import RowStream

__all__ = [
    "AppendFuture",
    "Appended",
    "DatasetInfo",
    "DatasetStatistics",
    "DiskEngine",
    "Followed",
    "Follower",
    "Judge",
    "MemoryEngine",
    "RowStream",
    "ScanPlan",
    "TickEngine",
    "Upload",
]
