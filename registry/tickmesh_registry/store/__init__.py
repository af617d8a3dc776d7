"""Where the registry keeps its change log."""
