#pragma once

#include <string_view>

#include "tickmesh/export.h"

namespace tickmesh {

/// A version of the mesh, by semantic versioning.
struct Version {
  int major_number;
  int minor_number;
  int patch_number;
  /// With what a pre-release adds, as in "1.4.0.dev0".
  std::string_view text;

  /// The version of the library that this program runs with, which may be newer than the headers
  /// it was compiled with.
  TICKMESH_EXPORT static const Version& OfLibrary();
};

}  // namespace tickmesh
