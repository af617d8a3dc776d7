"""The chassis every server shares: lifecycle, policies, health, metrics, tracing, configuration."""
