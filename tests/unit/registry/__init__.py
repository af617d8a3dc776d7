"""The registry's rules, without sockets."""
