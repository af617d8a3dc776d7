#include "tests/support/tail_rows.h"

#include <chrono>
#include <stdexcept>

#include "arrow/api.h"

namespace tickmesh::testing {

TailRows Take(TickTail* tail, std::int64_t rows) {
  TailRows seen;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (static_cast<std::int64_t>(seen.sizes.size()) < rows) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        give_up - std::chrono::steady_clock::now());
    const auto next = tail->Next(left);
    if (!next.ok()) throw std::runtime_error(next.status().ToString());
    if (!next->has_value()) {
      throw std::runtime_error("expected " + std::to_string(rows) + " rows, " +
                               std::to_string(seen.sizes.size()) + " came");
    }
    const TailBatch& batch = **next;
    const auto column = batch.batch->GetColumnByName("size");
    const auto& sizes = static_cast<const arrow::Int64Array&>(*column);
    seen.sizes.insert(seen.sizes.end(), sizes.raw_values(), sizes.raw_values() + sizes.length());
    seen.rows.push_back(batch.batch->num_rows());
    seen.positions.push_back(batch.position);
    seen.revisions.push_back(batch.dataset_revision);
  }
  return seen;
}

}  // namespace tickmesh::testing
