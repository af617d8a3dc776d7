"""The history of the cleaner's tables."""
