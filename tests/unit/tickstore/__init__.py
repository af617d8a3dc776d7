"""Unit tests of the tick store."""
