#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "arrow/result.h"

namespace re2 {
class RE2;
}

namespace tickmesh::internal {

/// A regular expression of ECMA-262 as RE2 reads it; what RE2 does not know stays as it is.
std::string PatternForRe2(std::string_view pattern);

/// The patterns of `patternProperties`, each compiled once; matched in linear time.
class NamePatterns {
 public:
  NamePatterns();
  ~NamePatterns();

  /// Whether a name matches a pattern somewhere.
  ///
  /// Fails with UNIMPLEMENTED, reason UNSUPPORTED_PATTERN, where the pattern needs look-around or
  /// looks back at what it matched.
  arrow::Result<bool> Matches(std::string_view pattern, std::string_view name);

 private:
  std::unordered_map<std::string_view, std::unique_ptr<re2::RE2>> compiled_;
};

}  // namespace tickmesh::internal
