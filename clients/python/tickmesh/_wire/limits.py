"""Channel options of both ends, set explicitly: gRPC's defaults differ by end and by release.

A client's ping interval must not be shorter than the server's `min_recv_ping_interval`, else the
server answers ENHANCE_YOUR_CALM and drops the connection; the two tuples stand together for that.
"""

import json
from typing import Literal

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Largest message a server takes; a schema text is at most 1 MiB."""

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""Largest message a client takes: a page of schemas."""

MAX_METADATA_BYTES = 8 * 1024
"""Largest header or trailer block; an error's details (≤ 4 kB) are base64 inside it."""

KEEPALIVE_MS = 60_000
KEEPALIVE_TIMEOUT_MS = 20_000

MAX_CONNECTION_AGE_MS = 60 * 60 * 1000
"""Connections are renewed hourly so that load spreads; servers end their own streams earlier."""

RETRIED_SERVICES = (
    "tickmesh.api.registry.v1.SchemaRegistryService",
    "tickmesh.api.cleaner.v1.CleanerService",
    "tickmesh.api.tickstore.v1.TickStoreService",
)
"""Every call of these is a read, can be repeated, or carries a request id that makes it so."""

STREAMS = (
    ("tickmesh.api.registry.v1.SchemaRegistryService", "Watch"),
    ("tickmesh.api.cleaner.v1.CleanerService", "WatchJob"),
    ("tickmesh.api.cleaner.v1.CleanerService", "UploadSource"),
)
"""Resumed by their callers; gRPC's retry of a stream whose server was killed can hang for ever."""

ChannelOptions = tuple[tuple[str, int | str], ...]

SERVER_CHANNEL_OPTIONS: ChannelOptions = (
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it silently
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.http2.max_ping_strikes", 3),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_connection_age_ms", MAX_CONNECTION_AGE_MS),
    # Without a grace the streams of an aged connection never end.
    ("grpc.max_connection_age_grace_ms", 60_000),
)

CLIENT_CHANNEL_OPTIONS: ChannelOptions = (
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),
    # A restarted server is found again within seconds, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 3_000),
)


OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)
"""A new channel is a new connection: otherwise it would share the one that is being left."""

Balancing = Literal["pick_first", "round_robin"]


def client_channel_options(*, call_attempts: int, balancing: Balancing) -> ChannelOptions:
    """The options of a client's channel.

    Args:
        call_attempts: how often a call is tried while its peer does not answer.
        balancing: gRPC's policy for an address that leads to several peers.
    """
    own = (*CLIENT_CHANNEL_OPTIONS, OWN_CONNECTION)
    policy: dict[str, object] = {"loadBalancingConfig": [{balancing: {}}]}
    if call_attempts == 1:
        return (
            *own,
            ("grpc.enable_retries", 0),
            ("grpc.service_config", json.dumps(policy)),
        )
    retries = policy | {
        "methodConfig": [
            {"name": [{"service": service, "method": method} for service, method in STREAMS]},
            {
                "name": [{"service": service} for service in RETRIED_SERVICES],
                "retryPolicy": {
                    "maxAttempts": call_attempts,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2.5,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
        ]
    }
    return (*own, ("grpc.service_config", json.dumps(retries)))
