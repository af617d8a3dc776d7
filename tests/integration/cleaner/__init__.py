"""The cleaner among real processes."""
