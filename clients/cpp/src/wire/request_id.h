#pragma once

#include <string>

namespace tickmesh::internal {

/// The header that names a call in every log it touches.
inline constexpr const char* kRequestIdHeader = "x-request-id";

/// A fresh random name of a call: 32 hexadecimal digits.
std::string NewRequestId();

}  // namespace tickmesh::internal
