"""Parts of the cleaner's client."""
