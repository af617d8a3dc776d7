"""Storage engines for ticks."""
