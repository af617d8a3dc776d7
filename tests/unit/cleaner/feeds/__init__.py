"""Feeds: the parts that need no server."""
