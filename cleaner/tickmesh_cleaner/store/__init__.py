"""Where the cleaner keeps jobs, intents and the quarantine index."""
