#pragma once

#include <string>
#include <string_view>

#include "arrow/status.h"

namespace grpc {
class Status;
}

namespace tickmesh::internal {

/// Turn the end of a gRPC call into a status of ours; the `google.rpc.Status` in its trailers
/// decides where it is there.
///
/// A call that was cancelled was so by the peer, which may be stopping, and may be made again: who
/// cancels a call of its own does not ask how it ended.
///
/// \param address of the peer, for the message where it could not be reached at all.
arrow::Status FromGrpc(const grpc::Status& status, std::string_view address);

/// Turn a failed Flight call into a status of ours; `extra_info` decides where it is there.
///
/// A status that has our details already is returned as it is.
arrow::Status FromFlight(const arrow::Status& status, std::string_view address);

}  // namespace tickmesh::internal
