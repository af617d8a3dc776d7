#include "ticks/read.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "arrow/flight/client.h"
#include "arrow/ipc/dictionary.h"
#include "arrow/record_batch.h"
#include "arrow/table.h"
#include "arrow/type.h"
#include "tickmesh/status.h"
#include "ticks/endpoint_source.h"
#include "ticks/ordered_fetch.h"
#include "ticks/read_command.h"
#include "wire/flight_channel.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

namespace {

namespace flight = arrow::flight;

// What a stream holds for its consumer.
constexpr std::int64_t kBytesAhead = 64 * 1024 * 1024;

/// A read as the store planned it.
struct Plan {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<flight::FlightEndpoint> endpoints;
};

arrow::Result<Plan> PlanRead(TickConnection* connection, const ReadOptions& options) {
  const std::string& address = connection->options().tickstore_flight;
  ARROW_ASSIGN_OR_RAISE(const auto command, MakeReadCommand(options));
  ARROW_ASSIGN_OR_RAISE(const auto client, connection->flight());
  auto info = client->GetFlightInfo(FlightCall(options.timeout), CommandDescriptor(command));
  if (!info.ok()) return FromFlight(info.status(), address);
  arrow::ipc::DictionaryMemo dictionaries;
  auto schema = (*info)->GetSchema(&dictionaries);
  if (!schema.ok() || *schema == nullptr) {
    return MakeError("the plan of the read from " + address + " has no schema",
                     {.code = ErrorCode::kDataLoss, .reason = "MALFORMED_ANSWER"});
  }
  return Plan{*std::move(schema), (*info)->endpoints()};
}

/// What failed, once what it says of the connection is acted upon.
arrow::Status Heeded(TickConnection* connection, arrow::Status status) {
  const ErrorDetails* details = GetErrorDetails(status);
  if (details != nullptr && details->code == ErrorCode::kDeadlineExceeded) {
    connection->ForgetFlights();
  }
  return status;
}

/// Batches of a fetch as Arrow's readers hand them out.
class FetchReader final : public arrow::RecordBatchReader {
 public:
  FetchReader(std::shared_ptr<TickConnection> connection, const Plan& plan,
              const FetchBounds& bounds)
      : connection_(std::move(connection)),
        schema_(plan.schema),
        fetch_(plan.endpoints.size(), bounds, connection_->options().tickstore_flight,
               [connection = connection_, plan](std::size_t endpoint, std::size_t place) {
                 return std::make_shared<EndpointSource>(
                     connection, place, plan.endpoints[endpoint].ticket, plan.schema);
               }) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    return Heeded(connection_.get(), fetch_.Next().Value(batch));
  }

  arrow::Result<std::shared_ptr<arrow::Table>> ReadRest() {
    auto batches = fetch_.Rest();
    if (!batches.ok()) return Heeded(connection_.get(), batches.status());
    return arrow::Table::FromRecordBatches(schema_, *batches);
  }

  arrow::Status Close() override {
    fetch_.Close();
    return arrow::Status::OK();
  }

 private:
  std::shared_ptr<TickConnection> connection_;
  std::shared_ptr<arrow::Schema> schema_;
  OrderedFetch fetch_;
};

arrow::Result<std::shared_ptr<FetchReader>> Open(const std::shared_ptr<TickConnection>& connection,
                                                 const ReadOptions& options) {
  const auto plan = PlanRead(connection.get(), options);
  if (!plan.ok()) return Heeded(connection.get(), plan.status());
  return std::make_shared<FetchReader>(
      connection, *plan,
      FetchBounds{.side_by_side = static_cast<std::size_t>(options.parallelism),
                  .bytes_ahead = kBytesAhead,
                  .patience = options.timeout});
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::Table>> ReadTable(
    const std::shared_ptr<TickConnection>& connection, const ReadOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto reader, Open(connection, options));
  return reader->ReadRest();
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenStream(
    const std::shared_ptr<TickConnection>& connection, const ReadOptions& options) {
  return Open(connection, options);
}

}  // namespace tickmesh::internal
