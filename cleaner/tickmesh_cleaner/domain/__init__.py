"""What the cleaner talks about: jobs, intents, balances, quarantined rows. Pure."""
