#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "arrow/result.h"
#include "arrow/type_fwd.h"
#include "ticks/call_threads.h"

namespace tickmesh::internal {

/// Where the batches of one endpoint come from: read by one thread, cancelled by any.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The next batch, null at the end. The first call connects. Blocks.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;

  /// Make `Next` fail soon, now and from now on.
  virtual void Cancel() = 0;
};

/// Bounds of a fetch.
struct FetchBounds {
  /// Endpoints fetched at a time, each by a thread.
  std::size_t side_by_side = 1;
  /// Bytes held for the consumer. One batch of the endpoint whose turn it is is always let in, so
  /// that the fetch goes on whatever the size of a batch.
  std::int64_t bytes_ahead = 0;
  /// How long nothing may come while the consumer waits.
  std::chrono::milliseconds patience = std::chrono::seconds(60);
};

/// Fetches endpoints side by side and hands out their batches in order; for one consumer.
class OrderedFetch {
 public:
  /// Makes the source of an endpoint.
  ///
  /// \param endpoint its place in the order.
  /// \param connection which of `side_by_side` connections is free for it.
  using Open =
      std::function<std::shared_ptr<BatchSource>(std::size_t endpoint, std::size_t connection)>;

  /// Begins to fetch.
  ///
  /// \param peer whom to name when nothing comes.
  OrderedFetch(std::size_t endpoints, const FetchBounds& bounds, std::string peer, Open open);
  OrderedFetch(const OrderedFetch&) = delete;
  OrderedFetch& operator=(const OrderedFetch&) = delete;
  /// Closes the fetch.
  ~OrderedFetch();

  /// The next batch in order, null at the end.
  ///
  /// Fails as soon as any endpoint has failed, with DEADLINE_EXCEEDED when nothing came for too
  /// long, and with CANCELLED, reason CLOSED, once closed.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next();

  /// Every batch that is left, in order, whatever the bound; fails as `Next` does.
  ///
  /// Wakes the consumer once an endpoint, not once a batch.
  arrow::Result<arrow::RecordBatchVector> Rest();

  /// End fetching; safe to call twice.
  void Close();

 private:
  class State;
  std::shared_ptr<State> state_;
  CallThreads threads_;
};

}  // namespace tickmesh::internal
