#pragma once

#include <cstddef>
#include <string_view>

#include "arrow/result.h"
#include "mapping/json_value.h"

namespace tickmesh::internal {

/// The number a text begins with.
struct NumberText {
  /// How many bytes it takes; 0 when the text begins with no number.
  std::size_t length = 0;
  /// Digits before the point, a sign included.
  std::size_t integer_length = 0;

  static NumberText At(std::string_view text);

  /// The number exactly: 1.0, 10e-1 and 1 are one value.
  ///
  /// \param text the number's own text.
  ///
  /// Fails with NUMBER_OUT_OF_RANGE beyond 10^±1000, or when it is written longer than that.
  arrow::Result<JsonValue> Exact(std::string_view text) const;
};

}  // namespace tickmesh::internal
