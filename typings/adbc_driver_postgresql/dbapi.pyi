"""What tickmesh uses of the ADBC driver of PostgreSQL, which comes without types."""

from adbc_driver_manager.dbapi import Connection

def connect(uri: str) -> Connection: ...
