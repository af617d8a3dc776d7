"""Queries as pure functions on Arrow data."""
