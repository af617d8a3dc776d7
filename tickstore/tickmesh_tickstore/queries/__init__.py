"""Queries traders ask, as pure functions: Arrow in, Arrow out, no transport and no wire types."""
