"""Spools: what was received once is there until it is committed."""
