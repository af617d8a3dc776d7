#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "arrow/type_fwd.h"

namespace tickmesh::tool {

/// A text as a JSON string; what is not UTF-8 becomes U+FFFD.
std::string JsonString(const std::string& text);

/// One value as JSON: numbers and instants exactly as stored; NaN and infinities as null.
std::string JsonValue(const arrow::Array& array, std::int64_t row);

/// Print one JSON object a row.
void PrintJsonLines(const arrow::RecordBatch& batch, std::ostream& out);

/// Print lines of cells in columns.
///
/// \param to_the_right which columns are aligned to the right.
void PrintAligned(const std::vector<std::vector<std::string>>& lines,
                  const std::vector<bool>& to_the_right, std::ostream& out);

/// Print the first rows of a table in aligned columns.
void PrintRows(const arrow::Table& table, std::int64_t rows, std::ostream& out);

}  // namespace tickmesh::tool
