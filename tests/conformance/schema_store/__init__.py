"""One suite for every engine of the registry's store."""
