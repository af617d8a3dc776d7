"""Databases as the cleaner writes to them and reads from them."""
