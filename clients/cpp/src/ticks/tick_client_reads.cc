#include "tickmesh/tick_client.h"
#include "ticks/read.h"
#include "ticks/tail.h"
#include "ticks/tick_client_impl.h"

namespace tickmesh {

arrow::Result<std::shared_ptr<arrow::Table>> TickClient::Read(const ReadOptions& options) {
  return internal::ReadTable(impl_->connection, options);
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> TickClient::Stream(
    const ReadOptions& options) {
  return internal::OpenStream(impl_->connection, options);
}

arrow::Result<std::unique_ptr<TickTail>> TickClient::Tail(const TailOptions& options) {
  return internal::OpenTail(impl_->connection, options);
}

}  // namespace tickmesh
