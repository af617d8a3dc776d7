"""Decoders, mapping and inference."""
