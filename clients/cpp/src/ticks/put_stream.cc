#include "ticks/put_stream.h"

#include <string>
#include <utility>

#include "arrow/buffer.h"
#include "arrow/flight/types.h"
#include "google/protobuf/any.pb.h"
#include "tickmesh/status.h"
#include "wire/flight_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

namespace flight = arrow::flight;

arrow::Result<std::unique_ptr<PutStream>> PutStream::Open(
    TickConnection* connection, const api::tickstore::v1::PutCommand& command,
    const std::shared_ptr<arrow::Schema>& schema,
    std::optional<std::chrono::milliseconds> timeout) {
  google::protobuf::Any wrapped;
  wrapped.PackFrom(command);
  const auto descriptor = flight::FlightDescriptor::Command(wrapped.SerializeAsString());
  ARROW_ASSIGN_OR_RAISE(auto client, connection->flight());
  const std::string& address = connection->options().tickstore_flight;

  auto call = std::make_shared<CallHandle>();
  const CallHandle::Scope scope(call);
  auto put = client->DoPut(FlightCall(timeout), descriptor, schema);
  if (!put.ok()) return FromFlight(put.status(), address);
  return std::unique_ptr<PutStream>(new PutStream(address, *std::move(put), std::move(call)));
}

PutStream::PutStream(std::string address, flight::FlightClient::DoPutResult put,
                     std::shared_ptr<CallHandle> call)
    : address_(std::move(address)),
      writer_(std::move(put.writer)),
      reader_(std::move(put.reader)),
      call_(std::move(call)) {}

PutStream::~PutStream() {
  if (finished_) return;
  Cancel();
  (void)Finish();
}

arrow::Status PutStream::Write(const arrow::RecordBatch& batch,
                               const api::tickstore::v1::PutMetadata& metadata) {
  arrow::Status written =
      writer_->WriteWithMetadata(batch, arrow::Buffer::FromString(metadata.SerializeAsString()));
  if (written.ok()) return written;
  write_failed_ = true;
  // What the call told has Flight's detail; without it, this side could not make the message.
  if (flight::FlightStatusDetail::UnwrapStatus(written) == nullptr) unsendable_ = written;
  return FromFlight(written, address_);
}

arrow::Result<std::optional<PutStream::Acknowledgement>> PutStream::ReadAcknowledgement() {
  std::shared_ptr<arrow::Buffer> message;
  if (!reader_->ReadMetadata(&message).ok() || message == nullptr) return std::nullopt;
  Acknowledgement acknowledgement;
  if (!acknowledgement.ParseFromArray(message->data(), static_cast<int>(message->size()))) {
    return MakeError("expected an acknowledgement from " + address_ + ", was " +
                         std::to_string(message->size()) + " bytes that are none",
                     {.code = ErrorCode::kInternal, .reason = "MALFORMED_DATA"});
  }
  return acknowledgement;
}

void PutStream::DoneWriting() {
  // Fails where the stream is broken already; Finish says why.
  (void)writer_->DoneWriting();
}

arrow::Status PutStream::Finish() {
  finished_ = true;
  // The call itself, not the writer: a write that failed while acknowledgements were being read has
  // made the writer remember that it could not be closed.
  const arrow::Status ended = call_->Finish();
  (void)writer_->Close();
  if (!ended.ok()) return FromFlight(ended, address_);
  if (!unsendable_.ok()) return FromFlight(unsendable_, address_);
  if (write_failed_) {
    return MakeError("the tick store ended the stream without a reason",
                     {.code = ErrorCode::kUnavailable, .reason = "STREAM_ENDED"});
  }
  return arrow::Status::OK();
}

void PutStream::Cancel() { call_->Cancel(); }

}  // namespace tickmesh::internal
