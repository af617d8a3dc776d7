"""Rules that know ticks: one rule a file."""
