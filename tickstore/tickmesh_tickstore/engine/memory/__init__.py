"""The memory engine: the same dataset without a disk under it, for tests and trials."""
