"""Raw records to columns: source specs and exact decoders that change no value silently."""
