#include "ticks/tail_exchange.h"

#include <utility>

#include "arrow/buffer.h"
#include "arrow/record_batch.h"
#include "tickmesh/status.h"
#include "ticks/read_command.h"
#include "wire/flight_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

namespace {

namespace wire = api::tickstore::v1;

arrow::Status Malformed(const std::string& peer, const std::string& what) {
  return MakeError("a message of the tail from " + peer + " " + what,
                   {.code = ErrorCode::kDataLoss, .reason = "MALFORMED_ANSWER"});
}

}  // namespace

FlightTailExchange::FlightTailExchange(ConnectionOptions options, wire::ReadCommand command,
                                       std::int64_t credits)
    : options_(std::move(options)), command_(std::move(command)), credits_(credits) {}

FlightTailExchange::~FlightTailExchange() {
  if (stream_.reader == nullptr) return;
  stream_.reader->Cancel();
  // Closing what was cancelled fails by nature, and Arrow complains if it is left undone.
  static_cast<void>(stream_.writer->Close());
}

arrow::Result<std::optional<TailMessage>> FlightTailExchange::Next() {
  if (stream_.reader == nullptr) ARROW_RETURN_NOT_OK(Open());
  while (true) {
    auto chunk = stream_.reader->Next();
    if (!chunk.ok()) return FromFlight(chunk.status(), options_.tickstore_flight);
    if (chunk->app_metadata != nullptr) {
      return ParseTailChunk(*std::move(chunk), options_.tickstore_flight);
    }
    if (chunk->data == nullptr) return std::nullopt;
    return Malformed(options_.tickstore_flight, "has rows and no position");
  }
}

void FlightTailExchange::Tell(std::int64_t credits, const std::string& position) {
  wire::TailControl control;
  control.set_credits(credits);
  control.set_acknowledged_token(position);
  const std::lock_guard lock(mutex_);
  if (stream_.writer == nullptr || cancelled_) return;
  static_cast<void>(
      stream_.writer->WriteMetadata(arrow::Buffer::FromString(control.SerializeAsString())));
}

void FlightTailExchange::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (stream_.reader != nullptr) stream_.reader->Cancel();
}

arrow::Status FlightTailExchange::Open() {
  ARROW_ASSIGN_OR_RAISE(client_, OpenFlight(options_.tickstore_flight, options_));
  auto opened = client_->DoExchange(FlightCall(), CommandDescriptor(command_));
  if (!opened.ok()) return FromFlight(opened.status(), options_.tickstore_flight);
  {
    const std::lock_guard lock(mutex_);
    stream_ = *std::move(opened);
    if (cancelled_) stream_.reader->Cancel();
  }
  Tell(credits_, command_.resume_token());
  return arrow::Status::OK();
}

arrow::Result<TailMessage> ParseTailChunk(arrow::flight::FlightStreamChunk chunk,
                                          const std::string& peer) {
  wire::TailMetadata metadata;
  if (!metadata.ParseFromArray(chunk.app_metadata->data(),
                               static_cast<int>(chunk.app_metadata->size())) ||
      metadata.position_token().empty()) {
    return Malformed(peer, "has metadata that is none of a tail");
  }
  TailMessage message{.batch = metadata.heartbeat() ? nullptr : std::move(chunk.data),
                      .position = metadata.position_token(),
                      .dataset_revision = metadata.dataset_revision()};
  if (message.batch != nullptr) {
    if (const auto valid = message.batch->Validate(); !valid.ok()) {
      return Malformed(peer, "has malformed rows: " + valid.message());
    }
  }
  return message;
}

}  // namespace tickmesh::internal
