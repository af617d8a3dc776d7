// Asks the registry for a schema, stores rows that satisfy it, reads them back, follows what comes.

#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "arrow/api.h"
#include "tickmesh/api.h"

namespace {

const std::string kSubject = "ticks.trades";

struct Trade {
  std::string symbol;
  double price;
  std::int64_t size;
};

/// Trades of now; the store takes text for a dictionary of text.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(const std::vector<Trade>& trades) {
  arrow::TimestampBuilder ts(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"),
                             arrow::default_memory_pool());
  arrow::StringBuilder symbol;
  arrow::DoubleBuilder price;
  arrow::Int64Builder size;
  for (const Trade& trade : trades) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    ARROW_RETURN_NOT_OK(
        ts.Append(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
    ARROW_RETURN_NOT_OK(symbol.Append(trade.symbol));
    ARROW_RETURN_NOT_OK(price.Append(trade.price));
    ARROW_RETURN_NOT_OK(size.Append(trade.size));
  }
  ARROW_ASSIGN_OR_RAISE(const auto times, ts.Finish());
  ARROW_ASSIGN_OR_RAISE(const auto symbols, symbol.Finish());
  ARROW_ASSIGN_OR_RAISE(const auto prices, price.Finish());
  ARROW_ASSIGN_OR_RAISE(const auto sizes, size.Finish());
  const auto schema =
      arrow::schema({arrow::field("ts", times->type()), arrow::field("symbol", symbols->type()),
                     arrow::field("price", prices->type()), arrow::field("size", sizes->type())});
  return arrow::RecordBatch::Make(schema, static_cast<std::int64_t>(trades.size()),
                                  std::vector{times, symbols, prices, sizes});
}

arrow::Status Run() {
  // `tickmesh up` on this machine unless the environment says otherwise.
  ARROW_ASSIGN_OR_RAISE(const auto options, tickmesh::ConnectionOptions::FromEnvironment());

  // Schemas: the first lookup asks the registry, later ones a cache that its watch keeps true.
  ARROW_ASSIGN_OR_RAISE(const auto registry, tickmesh::SchemaRegistryClient::Connect(options));
  ARROW_ASSIGN_OR_RAISE(const auto schema, registry->InForce(kSubject));
  std::cout << schema->subject << " version " << schema->version << ":\n"
            << schema->arrow_schema->ToString() << "\n\n";

  // Put: numbered and sent again until stored exactly once; Close waits until all is on disk.
  ARROW_ASSIGN_OR_RAISE(const auto ticks, tickmesh::TickClient::Connect(options));
  ARROW_ASSIGN_OR_RAISE(const auto writer, ticks->OpenWriter({.dataset = kSubject}));
  ARROW_ASSIGN_OR_RAISE(const auto batch, BatchOf({{"AAPL", 227.5, 100}, {"MSFT", 415.25, 40}}));
  ARROW_RETURN_NOT_OK(writer->Put(batch));
  ARROW_ASSIGN_OR_RAISE(const auto receipt, writer->Close());
  std::cout << "stored " << receipt.rows << " rows, dataset revision " << receipt.dataset_revision
            << '\n';

  // What breaks the schema is refused, with the column and the rule.
  ARROW_ASSIGN_OR_RAISE(const auto bad, BatchOf({{"AAPL", -1.0, 100}}));
  ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches({bad}));
  const arrow::Status refused = ticks->Put(kSubject, *table).status();
  std::cout << "refused: " << tickmesh::ReasonOf(refused) << ": " << refused.message() << '\n';

  // Get: one snapshot, endpoints side by side.
  ARROW_ASSIGN_OR_RAISE(
      const auto read,
      ticks->Read({.dataset = kSubject, .symbols = {"AAPL"}, .columns = {"ts", "price"}}));
  std::cout << "AAPL has " << read->num_rows() << " rows\n";

  // Tail: history from the first row, then rows as they are committed; here only what is there.
  ARROW_ASSIGN_OR_RAISE(const auto tail, ticks->Tail({.dataset = kSubject}));
  ARROW_ASSIGN_OR_RAISE(const auto first, tail->Next(std::chrono::seconds(5)));
  if (first) std::cout << "tail: " << first->batch->num_rows() << " rows up to a position\n";
  return arrow::Status::OK();
}

}  // namespace

int main() {
  const arrow::Status status = Run();
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
