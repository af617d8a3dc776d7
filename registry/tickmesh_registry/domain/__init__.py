"""What the registry decides, free of transport and database."""
