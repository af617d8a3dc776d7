"""Queries beyond a range: Arrow in, Arrow out; they know neither the wire nor the engine."""
