#pragma once

#include "arrow/result.h"
#include "arrow/type.h"
#include "mapping/location.h"

namespace tickmesh::internal {

/// Put the roles (time, symbol, price, …) into the metadata of the fields of a row: those that
/// `x-tick-role` states, else the usual names of fields that fit.
///
/// \param root the location of whole rows.
/// \param fields its projected fields.
///
/// Fails with UNKNOWN_ROLE, INVALID_ROLE or DUPLICATE_ROLE.
arrow::Result<arrow::FieldVector> WithRoles(const Location& root, arrow::FieldVector fields);

}  // namespace tickmesh::internal
