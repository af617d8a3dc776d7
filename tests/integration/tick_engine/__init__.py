"""The disk engine as real processes."""
