#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arrow/status.h"

namespace tickmesh::internal {

/// Keys and indices from the root of a schema's text to a place in it.
using JsonPath = std::vector<std::string>;

/// The path of what stands behind `steps` more.
JsonPath Below(const JsonPath& path, std::initializer_list<std::string_view> steps);

/// The JSON Pointer (RFC 6901) of a path.
std::string PointerOf(const JsonPath& path);

/// A schema that cannot be taken: INVALID_ARGUMENT with a reason and the pointer of its place.
///
/// \param reason stable upper-case code, such as `DUPLICATE_KEY`; those of the registry.
/// \param message what was expected, what came and how to mend it.
/// \param pointer JSON Pointer into the schema's text; empty for the whole.
arrow::Status SchemaError(std::string_view reason, std::string message, std::string pointer = {});

/// The same failure at another place.
arrow::Status AtPointer(const arrow::Status& error, std::string pointer);

/// Text of a schema as messages repeat it: cut, and in quotes.
std::string Quoted(std::string_view text, std::size_t longest = 80);

}  // namespace tickmesh::internal
