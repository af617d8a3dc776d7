#pragma once

#include <string>
#include <string_view>

namespace tickmesh::internal {

/// Reason and message of a call that found no peer.
struct Unreachable {
  std::string reason;
  std::string message;
};

/// Why a connection was not made, in words that name the setting to look at.
///
/// gRPC tells failures of the TLS handshake only as text, and to a client in plain text a server
/// with TLS is one that takes the connection and closes it.
///
/// \param text what the transport said.
/// \param address of the peer.
Unreachable WhyUnreachable(std::string_view text, std::string_view address);

}  // namespace tickmesh::internal
