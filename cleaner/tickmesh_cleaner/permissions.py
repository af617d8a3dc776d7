"""Which permission each call of the cleaner needs."""

from __future__ import annotations

from tickmesh_cleaner.service import FULL_NAME
from tickmesh_serving.permissions import Grants, PermissionTable, everyone

_METHODS = {
    "CreateJob": "cleaner.jobs.create",
    "GetJob": "cleaner.jobs.read",
    "ListJobs": "cleaner.jobs.read",
    "PauseJob": "cleaner.jobs.control",
    "ResumeJob": "cleaner.jobs.control",
    "CancelJob": "cleaner.jobs.control",
    "WatchJob": "cleaner.jobs.read",
    "UploadSource": "cleaner.uploads.create",
    "ListQuarantine": "cleaner.quarantine.read",
    "DescribeQuarantine": "cleaner.quarantine.read",
    "ReplayQuarantine": "cleaner.quarantine.replay",
    "DiscardQuarantine": "cleaner.quarantine.discard",
    "BacktestSchema": "cleaner.schemas.backtest",
    "ValidateRows": "cleaner.rows.judge",
    "ExplainSchema": "cleaner.schemas.explain",
    "GetStats": "cleaner.stats.read",
}
_FLIGHT = {
    "DoPut": "cleaner.rows.clean",
    "DoExchange": "cleaner.rows.judge",
    "GetFlightInfo": "cleaner.quarantine.read",
    "GetSchema": "cleaner.quarantine.read",
    "ListFlights": "cleaner.quarantine.read",
    "DoGet": "cleaner.quarantine.read",
    "ListActions": "cleaner.quarantine.read",
}


def permission_table(*, grants: Grants = everyone) -> PermissionTable:
    """The table; everyone is granted everything until somebody says otherwise."""
    methods = {f"/{FULL_NAME}/{method}": permission for method, permission in _METHODS.items()}
    return PermissionTable(methods | _FLIGHT, grants=grants)
