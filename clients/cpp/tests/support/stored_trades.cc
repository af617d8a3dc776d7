#include "tests/support/stored_trades.h"

#include <numeric>
#include <stdexcept>
#include <utility>

#include "arrow/api.h"
#include "arrow/flight/client.h"
#include "nlohmann/json.hpp"
#include "tests/support/mesh.h"

namespace tickmesh::testing {

namespace flight = arrow::flight;

namespace {

constexpr std::int64_t kRowsPerMessage = 64 * 1024;

void Check(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

/// The array of a dictionary's values, one a row.
std::shared_ptr<arrow::Array> Values(const arrow::DictionaryArray& column) {
  arrow::StringBuilder builder;
  const auto& dictionary = static_cast<const arrow::StringArray&>(*column.dictionary());
  for (std::int64_t row = 0; row < column.length(); ++row) {
    Check(column.IsNull(row) ? builder.AppendNull()
                             : builder.Append(dictionary.GetView(column.GetValueIndex(row))));
  }
  return builder.Finish().ValueOrDie();
}

}  // namespace

std::string ListedTradesSchema() {
  const nlohmann::ordered_json schema = {
      {"type", "object"},
      {"properties",
       {{"ts", {{"type", "string"}, {"format", "date-time"}, {"x-tick-role", "event_time"}}},
        {"symbol", {{"type", "string"}, {"enum", Symbols()}, {"x-tick-role", "symbol"}}},
        {"price", {{"type", "number"}, {"exclusiveMinimum", 0}}},
        {"size", {{"type", "integer"}, {"minimum", 0}}},
        {"note", {{"type", "string"}}}}},
      {"required", {"ts", "symbol", "price", "size"}}};
  return schema.dump();
}

const std::vector<std::string>& Symbols() {
  static const std::vector<std::string> symbols = {"AAPL", "IBM", "MSFT"};
  return symbols;
}

std::shared_ptr<arrow::Table> NotedTrades(std::int64_t rows, std::int64_t first) {
  const auto ns = arrow::timestamp(arrow::TimeUnit::NANO, "UTC");
  arrow::TimestampBuilder ts(ns, arrow::default_memory_pool());
  arrow::StringBuilder symbol;
  arrow::DoubleBuilder price;
  arrow::Int64Builder size;
  arrow::StringBuilder note;
  for (std::int64_t number = first; number < first + rows; ++number) {
    Check(ts.Append(number * 1'000));
    Check(symbol.Append(Symbols()[number % Symbols().size()]));
    Check(price.Append(1.0 + number));
    Check(size.Append(number));
    Check(number % 2 == 0 ? note.Append("n" + std::to_string(number)) : note.AppendNull());
  }
  const auto schema =
      arrow::schema({arrow::field("ts", ns), arrow::field("symbol", arrow::utf8()),
                     arrow::field("price", arrow::float64()), arrow::field("size", arrow::int64()),
                     arrow::field("note", arrow::utf8())});
  arrow::ArrayVector columns;
  for (arrow::ArrayBuilder* builder :
       std::vector<arrow::ArrayBuilder*>{&ts, &symbol, &price, &size, &note}) {
    columns.push_back(builder->Finish().ValueOrDie());
  }
  return arrow::Table::Make(schema, columns);
}

void PutPlainly(const std::string& subject, const arrow::Table& table) {
  const auto location =
      flight::Location::Parse("grpc://" + ToServers().tickstore_flight).ValueOrDie();
  const auto client = flight::FlightClient::Connect(location).ValueOrDie();
  const auto put =
      client->DoPut(flight::FlightDescriptor::Path({subject}), table.schema()).ValueOrDie();
  Check(put.writer->WriteTable(table, kRowsPerMessage));
  Check(put.writer->Close());
}

std::string StoredTrades(std::int64_t rows) {
  const std::string subject = FreshSubject();
  RegisterSchema(subject, ListedTradesSchema());
  PutPlainly(subject, *NotedTrades(rows));
  return subject;
}

std::vector<std::int64_t> Integers(const arrow::Table& table, const std::string& column) {
  const auto values = table.GetColumnByName(column);
  if (values == nullptr) throw std::runtime_error("no column " + column);
  std::vector<std::int64_t> integers;
  for (const auto& chunk : values->chunks()) {
    const auto& array = static_cast<const arrow::Int64Array&>(*chunk);
    integers.insert(integers.end(), array.raw_values(), array.raw_values() + array.length());
  }
  return integers;
}

std::vector<std::int64_t> Counted(std::int64_t first, std::int64_t end) {
  std::vector<std::int64_t> counted(end - first);
  std::iota(counted.begin(), counted.end(), first);
  return counted;
}

std::shared_ptr<arrow::Table> Decoded(const arrow::Table& table) {
  arrow::FieldVector fields;
  arrow::ChunkedArrayVector columns;
  for (int number = 0; number < table.num_columns(); ++number) {
    auto type = table.field(number)->type();
    arrow::ArrayVector chunks;
    for (const auto& chunk : table.column(number)->chunks()) {
      const bool encoded = type->id() == arrow::Type::DICTIONARY;
      chunks.push_back(encoded ? Values(static_cast<const arrow::DictionaryArray&>(*chunk))
                               : chunk);
    }
    if (type->id() == arrow::Type::DICTIONARY) type = arrow::utf8();
    fields.push_back(arrow::field(table.field(number)->name(), type));
    columns.push_back(std::make_shared<arrow::ChunkedArray>(std::move(chunks), type));
  }
  const auto decoded = arrow::Table::Make(arrow::schema(fields), columns);
  return decoded->CombineChunks().ValueOrDie();
}

}  // namespace tickmesh::testing
