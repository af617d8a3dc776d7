"""Databases the configuration names: rows are read from them and written to them in columns."""
