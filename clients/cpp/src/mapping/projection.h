#pragma once

#include "arrow/result.h"
#include "arrow/type.h"
#include "mapping/schema_document.h"

namespace tickmesh::internal {

/// Project a schema's fields onto Arrow, roles included and without ids: docs/arrow-projection.md.
///
/// Fails with NO_ROW, INVALID_ARROW_TYPE, TOO_MANY_FIELDS, TOO_MANY_SUBSCHEMAS, TOO_DEEP,
/// INVALID_FIELD_NAME, UNKNOWN_ROLE, INVALID_ROLE, DUPLICATE_ROLE or UNSUPPORTED_PATTERN.
arrow::Result<arrow::FieldVector> ProjectFields(const SchemaDocument& document);

}  // namespace tickmesh::internal
