// Follows a dataset and says after each batch how many rows came and behind which position, as in
// `20 eyJ…`, until it is killed.
//
//   tickmesh_tail_follower TICKSTORE TICKSTORE_FLIGHT DATASET

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "arrow/record_batch.h"
#include "tickmesh/tick_client.h"

namespace {

/// What failed is the end of it.
template <typename Value>
Value Must(arrow::Result<Value> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << result.status() << std::endl;
  std::exit(1);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: tickmesh_tail_follower TICKSTORE TICKSTORE_FLIGHT DATASET" << std::endl;
    return 2;
  }
  const auto client = Must(
      tickmesh::TickClient::Connect({.tickstore = arguments[1], .tickstore_flight = arguments[2]}));
  const auto tail = Must(client->Tail({.dataset = arguments[3]}));
  for (std::int64_t rows = 0;;) {
    const auto next = Must(tail->Next());  // without a timeout there is always one
    rows += next->batch->num_rows();
    std::cout << rows << " " << next->position << std::endl;
  }
}
