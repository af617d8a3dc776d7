"""What a cleaner remembers: jobs, the ledger of intents and commits, the quarantine index."""

from tickmesh_cleaner.store.store import CleanerStore

__all__ = ["CleanerStore"]
