"""Feeds: what comes over HTTP or a WebSocket, kept in a spool before anything else."""
