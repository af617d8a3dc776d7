"""Migrations of the registry's tables, oldest first in `versions/`."""
