#pragma once

#include "tickmesh/api/tickstore/v1/expression.pb.h"

#include "arrow/result.h"
#include "tickmesh/filter.h"

namespace tickmesh {

/// A condition as the store takes it.
class Filter::Node {
 public:
  api::tickstore::v1::Expression expression;
};

namespace internal {

/// The message of a condition that is not the default one.
///
/// Fails with INVALID_ARGUMENT where it names no column, or compares with a NaN, which equals
/// nothing.
arrow::Result<api::tickstore::v1::Expression> FilterMessage(const Filter& filter);

}  // namespace internal
}  // namespace tickmesh
