#include "tickmesh/tick_writer.h"

#include <utility>

#include "ticks/tick_writer_impl.h"

namespace tickmesh {

TickWriter::TickWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TickWriter::TickWriter(TickWriter&&) noexcept = default;
TickWriter& TickWriter::operator=(TickWriter&&) noexcept = default;
TickWriter::~TickWriter() = default;

arrow::Status TickWriter::Put(std::shared_ptr<arrow::RecordBatch> batch) {
  return impl_->Put(batch);
}

arrow::Status TickWriter::Put(const arrow::Table& table) { return impl_->Put(table); }

arrow::Result<PutReceipt> TickWriter::Flush(std::optional<std::chrono::milliseconds> timeout) {
  return impl_->Flush(timeout);
}

arrow::Result<PutReceipt> TickWriter::Close(std::optional<std::chrono::milliseconds> timeout) {
  return impl_->Close(timeout);
}

void TickWriter::Abandon() { impl_->Abandon(); }

std::int64_t TickWriter::lag_rows() const { return impl_->lag_rows(); }

std::chrono::nanoseconds TickWriter::lag() const { return impl_->lag(); }

PutReceipt TickWriter::receipt() const { return impl_->receipt(); }

const Producer& TickWriter::producer() const { return impl_->producer(); }

}  // namespace tickmesh
