"""How the registry client works inside: messages, the cache and its files."""
