"""The schema registry service."""
