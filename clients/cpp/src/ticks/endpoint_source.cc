#include "ticks/endpoint_source.h"

#include <utility>

#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "tickmesh/status.h"
#include "wire/flight_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

EndpointSource::EndpointSource(std::shared_ptr<TickConnection> connection, std::size_t place,
                               arrow::flight::Ticket ticket, std::shared_ptr<arrow::Schema> schema)
    : connection_(std::move(connection)),
      place_(place),
      ticket_(std::move(ticket)),
      schema_(std::move(schema)) {}

EndpointSource::~EndpointSource() {
  // A stream dropped before its end would be drained first.
  Cancel();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> EndpointSource::Next() {
  const std::string& address = connection_->options().tickstore_flight;
  if (reader_ == nullptr) ARROW_RETURN_NOT_OK(Open());
  while (true) {
    auto next = reader_->Next();
    if (!next.ok()) return FromFlight(next.status(), address);
    if (next->data != nullptr) {
      if (const auto valid = next->data->Validate(); !valid.ok()) {
        return MakeError("a batch from " + address + " is malformed: " + valid.message(),
                         {.code = ErrorCode::kDataLoss, .reason = "MALFORMED_ANSWER"});
      }
      return std::move(next->data);
    }
    if (next->app_metadata == nullptr) return std::shared_ptr<arrow::RecordBatch>();
  }
}

void EndpointSource::Cancel() { call_->Cancel(); }

arrow::Status EndpointSource::Open() {
  const std::string& address = connection_->options().tickstore_flight;
  ARROW_ASSIGN_OR_RAISE(client_, connection_->flight(place_));
  const CallHandle::Scope scope(call_);
  auto opened = client_->DoGet(FlightCall(), ticket_);
  if (!opened.ok()) return FromFlight(opened.status(), address);
  auto schema = (*opened)->GetSchema();
  if (!schema.ok()) return FromFlight(schema.status(), address);
  if (!(*schema)->Equals(*schema_, /*check_metadata=*/false)) {
    return MakeError("the rows from " + address + " do not have the columns that were promised",
                     {.code = ErrorCode::kDataLoss, .reason = "MALFORMED_ANSWER"});
  }
  reader_ = *std::move(opened);
  return arrow::Status::OK();
}

}  // namespace tickmesh::internal
