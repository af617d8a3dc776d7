"""Storage engines for ticks: one interface, a disk engine and a memory engine behind it."""

from tickmesh_tickstore.engine.acknowledgement import Appended, AppendFuture
from tickmesh_tickstore.engine.disk.engine import DiskEngine
from tickmesh_tickstore.engine.interface import (
    AppendStream,
    DatasetInfo,
    DatasetStatistics,
    Followed,
    Follower,
    Judge,
    Prepare,
    ScanPlan,
    TickEngine,
    Upload,
)
from tickmesh_tickstore.engine.memory.engine import MemoryEngine
from tickmesh_tickstore.engine.row_stream import RowStream
from tickmesh_tickstore.engine.streams import StreamProgress

__all__ = [
    "AppendFuture",
    "AppendStream",
    "Appended",
    "DatasetInfo",
    "DatasetStatistics",
    "DiskEngine",
    "Followed",
    "Follower",
    "Judge",
    "MemoryEngine",
    "Prepare",
    "RowStream",
    "ScanPlan",
    "StreamProgress",
    "TickEngine",
    "Upload",
]
