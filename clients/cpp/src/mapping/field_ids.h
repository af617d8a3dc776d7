#pragma once

#include <string>
#include <vector>

#include "arrow/result.h"
#include "arrow/type.h"
#include "tickmesh/arrow_schema.h"

namespace tickmesh::internal {

/// `a.b` for a path of names; `\`, `.`, `[` and `{` in names get a `\`.
std::string JoinPath(const std::vector<std::string>& names);

/// These ids and new ones for the fields that have none yet.
///
/// New ids continue after the greatest one given, in the order of the fields, each before what is
/// nested in it. Fails with INVALID_ARGUMENT, reason FIELD_IDS_SPENT, when there is no greater one.
arrow::Result<FieldIds> Extended(FieldIds ids, const arrow::FieldVector& fields);

/// Fields with their ids in their metadata.
arrow::FieldVector Numbered(const arrow::FieldVector& fields, const FieldIds& ids);

}  // namespace tickmesh::internal
