"""The service side of the tick store."""
