#pragma once

namespace tickmesh::internal {

// The client's half of the mesh's limits; a ping interval shorter than the server allows would
// make it drop the connection.
inline constexpr int kMaxRequestBytes = 4 * 1024 * 1024;
inline constexpr int kMaxResponseBytes = 16 * 1024 * 1024;
inline constexpr int kMaxMetadataBytes = 8 * 1024;
inline constexpr int kKeepaliveMs = 60'000;
inline constexpr int kKeepaliveTimeoutMs = 20'000;
// A restarted server is found again within seconds, not after gRPC's two minutes.
inline constexpr int kInitialReconnectBackoffMs = 100;
inline constexpr int kMaxReconnectBackoffMs = 3'000;
// How long a peer may take to accept a connection and speak. A Flight call that waits for it cannot
// be cancelled, so that whoever is destroyed meanwhile waits too.
inline constexpr int kConnectTimeoutMs = 5'000;

}  // namespace tickmesh::internal
