#include "tests/support/trades.h"

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "arrow/api.h"
#include "arrow/flight/client.h"
#include "arrow/flight/types.h"
#include "arrow/json/from_string.h"
#include "tests/support/mesh.h"

namespace tickmesh::testing {
namespace {

namespace flight = arrow::flight;

template <typename Value>
Value Must(arrow::Result<Value> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return *std::move(result);
}

void Must(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

constexpr const char* kSymbols[] = {"AAPL", "IBM", "MSFT"};

arrow::Result<std::shared_ptr<arrow::Table>> Read(flight::FlightClient* client,
                                                  const std::string& dataset) {
  ARROW_ASSIGN_OR_RAISE(const auto info,
                        client->GetFlightInfo(flight::FlightDescriptor::Path({dataset})));
  arrow::ipc::DictionaryMemo dictionaries;
  ARROW_ASSIGN_OR_RAISE(const auto schema, info->GetSchema(&dictionaries));
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const auto& endpoint : info->endpoints()) {
    ARROW_ASSIGN_OR_RAISE(const auto reader, client->DoGet(endpoint.ticket));
    ARROW_ASSIGN_OR_RAISE(auto read, reader->ToRecordBatches());
    batches.insert(batches.end(), read.begin(), read.end());
  }
  return arrow::Table::FromRecordBatches(schema, batches);
}

}  // namespace

std::shared_ptr<arrow::RecordBatch> Trades(std::int64_t rows, std::int64_t first) {
  const auto instants = arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
  arrow::TimestampBuilder times(instants, arrow::default_memory_pool());
  arrow::StringBuilder symbols;
  arrow::DoubleBuilder prices;
  arrow::Int64Builder sizes;
  for (std::int64_t number = first; number < first + rows; ++number) {
    Must(times.Append(number * 1'000));
    Must(symbols.Append(kSymbols[number % 3]));
    Must(prices.Append(1.0 + static_cast<double>(number)));
    Must(sizes.Append(number));
  }
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("ts", instants), arrow::field("symbol", arrow::utf8()),
                     arrow::field("price", arrow::float64()),
                     arrow::field("size", arrow::int64())}),
      rows,
      {Must(times.Finish()), Must(symbols.Finish()), Must(prices.Finish()), Must(sizes.Finish())});
}

std::shared_ptr<arrow::Table> TradesTable(std::int64_t rows, std::int64_t rows_per_batch,
                                          std::int64_t first) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (std::int64_t done = 0; done < rows; done += rows_per_batch) {
    batches.push_back(Trades(std::min(rows_per_batch, rows - done), first + done));
  }
  return Must(arrow::Table::FromRecordBatches(Trades(0)->schema(), batches));
}

std::shared_ptr<arrow::RecordBatch> With(const std::shared_ptr<arrow::RecordBatch>& batch,
                                         const std::string& name,
                                         const std::shared_ptr<arrow::Array>& column) {
  const int place = batch->schema()->GetFieldIndex(name);
  return Must(batch->SetColumn(place, arrow::field(name, column->type()), column));
}

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type,
                                       const std::string& json) {
  return Must(arrow::json::ArrayFromJSONString(type, json));
}

std::shared_ptr<arrow::Table> ReadPlainly(const std::string& dataset) {
  // Each try over a connection of its own: one that has failed waits before it tries again.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    flight::FlightClientOptions options;
    std::string scheme = "grpc://";
    if (WantsTls()) {
      const TlsOptions tls = *WithTls().tls;
      scheme = "grpc+tls://";
      options.tls_root_certs = tls.root_certificates;
      options.cert_chain = tls.certificate_chain;
      options.private_key = tls.private_key;
    }
    const auto location = Must(flight::Location::Parse(scheme + FromDriver("TICKSTORE_FLIGHT")));
    options.generic_options = {{"grpc.use_local_subchannel_pool", 1}};
    const auto client = Must(flight::FlightClient::Connect(location, options));
    auto table = Read(client.get(), dataset);
    if (table.ok()) return *table;
    const auto detail = flight::FlightStatusDetail::UnwrapStatus(table.status());
    if (detail != nullptr && detail->extra_info().find("DATASET_NOT_FOUND") != std::string::npos) {
      return Must(arrow::Table::MakeEmpty(Trades(0)->schema()));
    }
    const bool away = detail != nullptr && detail->code() == flight::FlightStatusCode::Unavailable;
    if (!away || std::chrono::steady_clock::now() > deadline) Must(table.status());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::vector<std::int64_t> StoredSizes(const std::string& dataset) {
  std::vector<std::int64_t> sizes;
  const auto column = ReadPlainly(dataset)->GetColumnByName("size");
  for (const auto& chunk : column->chunks()) {
    const auto& values = static_cast<const arrow::Int64Array&>(*chunk);
    sizes.insert(sizes.end(), values.raw_values(), values.raw_values() + values.length());
  }
  return sizes;
}

std::vector<std::int64_t> CountingFrom(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

}  // namespace tickmesh::testing
