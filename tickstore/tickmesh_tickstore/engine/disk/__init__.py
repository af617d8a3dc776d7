"""The disk engine: write-ahead log, memory-mapped segments, SQL manifest."""
