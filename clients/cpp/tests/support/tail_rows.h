#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tickmesh/tick_tail.h"

namespace tickmesh::testing {

/// What a tail of trades handed out.
struct TailRows {
  /// The column `size`: which rows came, in which order.
  std::vector<std::int64_t> sizes;
  /// Of each batch.
  std::vector<std::int64_t> rows;
  std::vector<std::string> positions;
  std::vector<std::int64_t> revisions;
};

/// Take batches until there are so many rows; what goes wrong, or takes a minute, throws.
TailRows Take(TickTail* tail, std::int64_t rows);

}  // namespace tickmesh::testing
