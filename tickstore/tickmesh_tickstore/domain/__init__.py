"""What the tick store decides, free of transport and database."""
