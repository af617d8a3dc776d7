"""Jobs, balance and quarantine records, free of transport and database."""
