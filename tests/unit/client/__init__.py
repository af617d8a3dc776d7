"""The client library, without sockets."""
