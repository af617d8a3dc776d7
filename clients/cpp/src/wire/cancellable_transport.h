#pragma once

#include <string>

namespace tickmesh::internal {

/// The URI of a Flight server whose puts and gets can be cancelled.
///
/// This is Arrow's own gRPC transport, registered once more under a scheme of ours, so that a
/// `CallHandle` can find the calls it opens.
///
/// \param address `host:port`.
std::string CancellableUri(const std::string& address, bool with_tls);

}  // namespace tickmesh::internal
