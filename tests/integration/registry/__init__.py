"""The registry as a real process."""
