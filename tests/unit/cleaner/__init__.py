"""The cleaner, without sockets."""
