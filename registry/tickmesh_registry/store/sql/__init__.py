"""The SQL engine: versions and change log in tables, the revision in a counter row."""
