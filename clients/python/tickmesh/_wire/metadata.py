"""Names of the metadata keys (gRPC) and headers (Flight) that both ends know; always lower case."""

REQUEST_ID = "x-request-id"
"""Names a call in every log it touches; made by the client, else by the first server."""

TRACEPARENT = "traceparent"
"""W3C Trace Context."""

AUTHORIZATION = "authorization"
"""`Bearer <token>`."""

ON_BEHALF_OF = "x-on-behalf-of"
"""The principal a service acts for."""

STATUS_DETAILS = "grpc-status-details-bin"
"""The serialized `google.rpc.Status` in the trailers of a failed call."""

RETRY_PUSHBACK = "grpc-retry-pushback-ms"
"""Milliseconds to wait before a retry: the only form that gRPC's own retry obeys."""
