#include "registry/watch_stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <grpc/support/time.h>

#include "wire/grpc_channel.h"

namespace tickmesh::internal {

namespace {

/// A deadline of the steady clock as gRPC takes it: no change of the system's clock moves it.
gpr_timespec Monotonic(Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      deadline - std::chrono::steady_clock::now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(std::max<std::int64_t>(left.count(), 0), GPR_TIMESPAN));
}

}  // namespace

WatchStream::WatchStream(std::shared_ptr<RegistryConnection::Stub> stub,
                         const api::registry::v1::WatchRequest& request)
    : stub_(std::move(stub)) {
  PrepareStream(&context_);
  reader_ = stub_->PrepareAsyncWatch(&context_, request, &queue_);
  reader_->StartCall(this);
}

WatchStream::~WatchStream() {
  Cancel();
  // Every operation under way has to come back before what it writes to goes.
  while (step_ != Step::kFinished) Next(Deadline::max());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

WatchStream::Outcome WatchStream::Next(Deadline deadline) {
  if (step_ == Step::kFinished) return Outcome::kEnded;
  if (step_ == Step::kIdle) Read();
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    const auto until =
        deadline == Deadline::max() ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : Monotonic(deadline);
    if (queue_.AsyncNext(&tag, &ok, until) != grpc::CompletionQueue::GOT_EVENT) {
      return Outcome::kTimeout;
    }
    switch (step_) {
      case Step::kStarting:
        ok ? Read() : Finish();
        break;
      case Step::kReading:
        if (ok) {
          step_ = Step::kIdle;
          return Outcome::kResponse;
        }
        Finish();
        break;
      default:
        step_ = Step::kFinished;
        return Outcome::kEnded;
    }
  }
}

void WatchStream::Read() {
  step_ = Step::kReading;
  reader_->Read(&response_, this);
}

void WatchStream::Finish() {
  step_ = Step::kFinishing;
  reader_->Finish(&status_, this);
}

}  // namespace tickmesh::internal
