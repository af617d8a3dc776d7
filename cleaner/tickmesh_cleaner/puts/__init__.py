"""Rows that are put into the cleaner by Arrow Flight: spooled first, then cleaned by a job."""
