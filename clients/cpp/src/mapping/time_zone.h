#pragma once

#include <string>

namespace tickmesh::internal {

/// Whether the time zone database of the system holds a zone, such as `America/New_York`.
///
/// Where a system has no such database every well-formed name counts: nothing here
/// computes with a zone.
bool IsTimeZone(const std::string& name);

}  // namespace tickmesh::internal
