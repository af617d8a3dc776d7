#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "mapping/json_types.h"
#include "mapping/schema_facts.h"

namespace tickmesh::internal {

/// What an `arrow` keyword asks for.
struct ArrowTypeName {
  std::shared_ptr<arrow::DataType> type;
  /// The JSON types whose values it can hold.
  JsonTypes holds;
  /// Digits after the point of a scaled integer.
  std::optional<int> scale = std::nullopt;
  /// What the strings are that it can hold; empty when any string may be held.
  std::string format = {};
};

/// Read the value of an `arrow` keyword, such as `decimal128(18, 4)` or `timestamp[ns, UTC]`.
///
/// Fails with INVALID_ARROW_TYPE.
arrow::Result<ArrowTypeName> ParseArrowType(const std::string& text);

}  // namespace tickmesh::internal
