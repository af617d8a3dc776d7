"""The pure schema core: documents, projection, compatibility, validation. No transport, no database."""
