#include "ticks/tail.h"

#include <chrono>
#include <utility>

#include <grpcpp/client_context.h>

#include "tickmesh/api/tickstore/v1/tick_store_service.grpc.pb.h"

#include "tickmesh/status.h"
#include "ticks/read_command.h"
#include "wire/grpc_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh {

namespace wire = api::tickstore::v1;

TickTail::Impl::Impl(wire::ReadCommand command, std::string peer,
                     std::chrono::milliseconds silence_limit,
                     std::function<void(const arrow::Status&)> on_interruption,
                     internal::OpenExchange open)
    : command_(std::move(command)),
      peer_(std::move(peer)),
      silence_limit_(silence_limit),
      on_interruption_(std::move(on_interruption)),
      open_(std::move(open)),
      position_(command_.resume_token()) {}

TickTail::Impl::~Impl() { Close(); }

arrow::Result<std::optional<TailBatch>> TickTail::Impl::Next(
    std::optional<std::chrono::milliseconds> timeout) {
  std::optional<Clock::time_point> until;
  if (timeout) until = Clock::now() + *timeout;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto stream, Stream(until));
    if (stream == nullptr) return std::nullopt;
    internal::TailEvent event = stream->Next(until);
    if (!event.ended.ok()) {
      ARROW_RETURN_NOT_OK(Interrupted(std::move(event.ended)));
      continue;
    }
    if (!event.message) return std::nullopt;
    pause_.Reset();
    internal::TailMessage& message = *event.message;
    {
      const std::lock_guard lock(mutex_);
      ARROW_RETURN_NOT_OK(failed_);
      position_ = message.position;
    }
    if (message.batch == nullptr) continue;
    return TailBatch{.batch = std::move(message.batch),
                     .position = std::move(message.position),
                     .dataset_revision = message.dataset_revision};
  }
}

std::string TickTail::Impl::position() const {
  const std::lock_guard lock(mutex_);
  return position_;
}

std::int64_t TickTail::Impl::interruptions() const {
  const std::lock_guard lock(mutex_);
  return interruptions_;
}

void TickTail::Impl::Close() {
  std::shared_ptr<internal::TailStream> stream;
  {
    const std::lock_guard lock(mutex_);
    failed_ = MakeError("the tail is closed", {.code = ErrorCode::kCancelled, .reason = "CLOSED"});
    stream = std::move(stream_);
    closing_.notify_all();
  }
  if (stream != nullptr) stream->Cancel();
}

/// The stream to take from, opened if the pause after the one before is over; null when that takes
/// longer than allowed.
arrow::Result<std::shared_ptr<internal::TailStream>> TickTail::Impl::Stream(
    std::optional<Clock::time_point> until) {
  std::unique_lock lock(mutex_);
  ARROW_RETURN_NOT_OK(failed_);
  if (stream_ != nullptr) return stream_;
  const auto wake = until ? std::min(*until, resume_at_) : resume_at_;
  closing_.wait_until(lock, wake, [this] { return !failed_.ok(); });
  ARROW_RETURN_NOT_OK(failed_);
  if (Clock::now() < resume_at_) return nullptr;
  command_.set_resume_token(position_);
  stream_ = std::make_shared<internal::TailStream>(open_(command_, internal::TailCredits::kWindow),
                                                   silence_limit_, peer_);
  return stream_;
}

/// Tell of an ended stream and plan the next one; fails where going on cannot help.
arrow::Status TickTail::Impl::Interrupted(arrow::Status why) {
  std::shared_ptr<internal::TailStream> ended;
  {
    const std::lock_guard lock(mutex_);
    ended = std::move(stream_);
    ARROW_RETURN_NOT_OK(failed_);
    if (!internal::TailPause::CanGoOn(why)) return failed_ = why;
    ++interruptions_;
  }
  ended.reset();
  if (on_interruption_) on_interruption_(why);
  resume_at_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(pause_.After(why));
  return arrow::Status::OK();
}

TickTail::TickTail(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TickTail::TickTail(TickTail&&) noexcept = default;
TickTail& TickTail::operator=(TickTail&&) noexcept = default;
TickTail::~TickTail() = default;

arrow::Result<std::optional<TailBatch>> TickTail::Next(
    std::optional<std::chrono::milliseconds> timeout) {
  return impl_->Next(timeout);
}

std::string TickTail::position() const { return impl_->position(); }

std::int64_t TickTail::interruptions() const { return impl_->interruptions(); }

void TickTail::Close() { impl_->Close(); }

namespace internal {

namespace {

/// The place behind the newest row of a dataset.
arrow::Result<std::string> EndPosition(TickConnection* connection, const std::string& dataset) {
  wire::GetDatasetRequest request;
  request.set_dataset(dataset);
  wire::GetDatasetResponse response;
  grpc::ClientContext context;
  PrepareCall(&context, connection->options().call_timeout);
  const auto status = connection->stub()->GetDataset(&context, request, &response);
  ARROW_RETURN_NOT_OK(FromGrpc(status, connection->options().tickstore));
  return response.dataset().end_position();
}

}  // namespace

arrow::Result<std::unique_ptr<TickTail>> OpenTail(const std::shared_ptr<TickConnection>& connection,
                                                  const TailOptions& options) {
  ARROW_ASSIGN_OR_RAISE(auto command, MakeTailCommand(options));
  if (options.begin == TailBegin::kNewest && options.after.empty()) {
    ARROW_ASSIGN_OR_RAISE(*command.mutable_resume_token(),
                          EndPosition(connection.get(), options.dataset));
  }
  OpenExchange open = [connection](const wire::ReadCommand& from, std::int64_t credits) {
    return std::make_shared<FlightTailExchange>(connection->options(), from, credits);
  };
  return std::make_unique<TickTail>(std::make_unique<TickTail::Impl>(
      std::move(command), connection->options().tickstore_flight, options.silence_limit,
      options.on_interruption, std::move(open)));
}

}  // namespace internal
}  // namespace tickmesh
