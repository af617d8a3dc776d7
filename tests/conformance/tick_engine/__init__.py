"""One suite for every tick engine: promises T1 to T11."""
