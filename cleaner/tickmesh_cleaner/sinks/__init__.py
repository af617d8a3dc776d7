"""Where good rows go."""
