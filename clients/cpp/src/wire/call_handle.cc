#include "wire/call_handle.h"

#include <utility>

#include "arrow/buffer.h"
#include "arrow/flight/client.h"
#include "arrow/flight/transport.h"

namespace tickmesh::internal {

namespace {

namespace flight = arrow::flight;

thread_local std::shared_ptr<CallHandle> bound;

}  // namespace

/// A stream that its handle knows for as long as it lives.
class CallHandle::BoundStream final : public flight::internal::ClientDataStream {
 public:
  BoundStream(std::unique_ptr<ClientDataStream> inner, std::shared_ptr<CallHandle> handle)
      : inner_(std::move(inner)), handle_(std::move(handle)) {
    const std::lock_guard lock(handle_->mutex_);
    handle_->stream_ = inner_.get();
    if (handle_->cancelled_) inner_->TryCancel();
  }

  ~BoundStream() override {
    const std::lock_guard lock(handle_->mutex_);
    handle_->stream_ = nullptr;
  }

  bool ReadData(flight::internal::FlightData* data) override { return inner_->ReadData(data); }
  bool ReadPutMetadata(std::shared_ptr<arrow::Buffer>* metadata) override {
    return inner_->ReadPutMetadata(metadata);
  }
  arrow::Result<bool> WriteData(const flight::FlightPayload& payload) override {
    return inner_->WriteData(payload);
  }
  arrow::Status WritesDone() override { return inner_->WritesDone(); }
  void TryCancel() override { inner_->TryCancel(); }

 protected:
  arrow::Status DoFinish() override { return inner_->Finish(arrow::Status::OK()); }

 private:
  std::unique_ptr<ClientDataStream> inner_;
  std::shared_ptr<CallHandle> handle_;
};

void CallHandle::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (stream_ != nullptr) stream_->TryCancel();
}

arrow::Status CallHandle::Finish() {
  flight::internal::ClientDataStream* stream = nullptr;
  {
    // Not while waiting for the end: another thread may have to cancel it.
    const std::lock_guard lock(mutex_);
    stream = stream_;
  }
  return stream->Finish(arrow::Status::OK());
}

CallHandle::Scope::Scope(std::shared_ptr<CallHandle> handle) { bound = std::move(handle); }

CallHandle::Scope::~Scope() { bound = nullptr; }

std::unique_ptr<flight::internal::ClientDataStream> CallHandle::Bind(
    std::unique_ptr<flight::internal::ClientDataStream> stream) {
  if (bound == nullptr) return stream;
  return std::make_unique<BoundStream>(std::move(stream), bound);
}

}  // namespace tickmesh::internal
