"""The tick store service: governed, durable, exactly-once ticks over Arrow Flight."""
