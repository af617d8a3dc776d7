"""What both ends of the wire share: status details, credentials, metadata keys, limits."""
