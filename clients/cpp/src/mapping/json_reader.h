#pragma once

#include <cstddef>
#include <string_view>

#include "arrow/result.h"
#include "mapping/json_value.h"

namespace tickmesh::internal {

/// Read JSON text exactly, as the registry reads schemas.
///
/// A reader of its own, because what decides here is what JSON libraries leave to chance: a key
/// named twice is refused at its place, numbers keep every digit and may lie beyond a double, a
/// lone surrogate is refused at its place, a byte order mark is no JSON, and depth is bounded
/// before anything nests.
///
/// \param text JSON in UTF-8.
/// \param max_bytes longest text taken.
/// \param max_depth deepest nesting of objects and arrays taken.
///
/// Fails with INVALID_ARGUMENT, reasons TOO_LARGE, TOO_DEEP, INVALID_JSON, NUMBER_OUT_OF_RANGE or
/// DUPLICATE_KEY.
arrow::Result<JsonValue> ReadJson(std::string_view text, std::size_t max_bytes, int max_depth);

}  // namespace tickmesh::internal
