#pragma once

#include "arrow/status.h"
#include "mapping/json_value.h"
#include "mapping/keywords.h"
#include "mapping/schema_error.h"

namespace tickmesh::internal {

/// Check that every keyword of a schema holds what its meta-schema asks for, everywhere in it.
///
/// What the mapping reads later is then of the type it expects. Keywords that hold subschemas are
/// checked under both dialects, since references may lead there.
///
/// Fails with INVALID_SCHEMA, or INVALID_PATTERN for a pattern that is no string.
arrow::Status CheckMetaSchema(const JsonValue& schema, Dialect dialect, const JsonPath& path = {});

}  // namespace tickmesh::internal
