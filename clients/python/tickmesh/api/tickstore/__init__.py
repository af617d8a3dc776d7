"""Generated from proto/: edit there, then run `make gen`."""
