"""Decoding of recorded market data."""
