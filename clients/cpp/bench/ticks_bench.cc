// Puts and gets of the C++ client, and a get by plain Arrow Flight beside it.
//
// `ticks_bench FILE`: the rows to put, as an Arrow IPC file; where the tick store is stands in
// TICKMESH_CLIENT__TICKSTORE…. Each line on standard input is a command and is answered by the
// seconds it took:
//   write DATASET       through a writer: until the last message is durable
//   put DATASET         in one upload, visible as a whole
//   get DATASET ROWS    by TickClient::Read
//   stream DATASET ROWS by TickClient::Stream, batch by batch
//   bare DATASET ROWS CONNECTIONS  by a plain FlightClient: plan, then every endpoint

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "arrow/flight/api.h"
#include "arrow/io/file.h"
#include "arrow/ipc/reader.h"
#include "arrow/record_batch.h"
#include "arrow/table.h"
#include "tickmesh/api.h"

namespace {

namespace flight = arrow::flight;

/// A failure here is no result.
void Must(const arrow::Status& status) {
  if (status.ok()) return;
  std::cerr << status << std::endl;
  std::exit(1);
}

template <typename Value>
Value Must(arrow::Result<Value> result) {
  Must(result.status());
  return std::move(result).ValueUnsafe();
}

void MustHave(std::int64_t rows, std::int64_t expected) {
  if (rows == expected) return;
  std::cerr << "expected " << expected << " rows; came " << rows << std::endl;
  std::exit(1);
}

std::shared_ptr<arrow::Table> RowsOf(const std::string& path) {
  auto file = Must(arrow::io::ReadableFile::Open(path));
  auto reader = Must(arrow::ipc::RecordBatchFileReader::Open(file));
  arrow::RecordBatchVector batches;
  for (int each = 0; each < reader->num_record_batches(); ++each) {
    batches.push_back(Must(reader->ReadRecordBatch(each)));
  }
  return Must(arrow::Table::FromRecordBatches(reader->schema(), batches));
}

class Commands {
 public:
  Commands(const std::string& path, tickmesh::ConnectionOptions options)
      : rows_(RowsOf(path)),
        options_(std::move(options)),
        client_(Must(tickmesh::TickClient::Connect(options_))) {}

  void Write(const std::string& dataset) {
    auto writer = Must(client_->OpenWriter({.dataset = dataset}));
    arrow::TableBatchReader reader(*rows_);
    while (auto batch = Must(reader.Next())) Must(writer->Put(std::move(batch)));
    MustHave(Must(writer->Close()).rows, rows_->num_rows());
  }

  void Put(const std::string& dataset) {
    MustHave(Must(client_->Put(dataset, *rows_)).rows, rows_->num_rows());
  }

  void Get(const std::string& dataset, std::int64_t expected) {
    MustHave(Must(client_->Read({.dataset = dataset}))->num_rows(), expected);
  }

  void Stream(const std::string& dataset, std::int64_t expected) {
    const auto reader = Must(client_->Stream({.dataset = dataset}));
    std::int64_t rows = 0;
    while (const auto batch = Must(reader->Next())) rows += batch->num_rows();
    MustHave(rows, expected);
  }

  /// The same table by nothing but Arrow: each connection takes the next endpoint.
  void Bare(const std::string& dataset, std::int64_t expected, std::size_t connections) {
    while (bare_.size() < connections) {
      const auto location = Must(flight::Location::Parse("grpc://" + options_.tickstore_flight));
      bare_.push_back(Must(flight::FlightClient::Connect(location)));
    }
    const auto info = Must(bare_[0]->GetFlightInfo(flight::FlightDescriptor::Path({dataset})));
    std::vector<std::shared_ptr<arrow::Table>> parts(info->endpoints().size());
    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> threads;
    for (std::size_t each = 0; each < connections; ++each) {
      threads.emplace_back([&, each] {
        for (std::size_t part = next++; part < parts.size(); part = next++) {
          const auto reader = Must(bare_[each]->DoGet(info->endpoints()[part].ticket));
          parts[part] = Must(reader->ToTable());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    MustHave(Must(arrow::ConcatenateTables(parts))->num_rows(), expected);
  }

 private:
  std::shared_ptr<arrow::Table> rows_;
  tickmesh::ConnectionOptions options_;
  std::unique_ptr<tickmesh::TickClient> client_;
  std::vector<std::unique_ptr<flight::FlightClient>> bare_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: ticks_bench FILE" << std::endl;
    return 2;
  }
  Commands commands(arguments[1], Must(tickmesh::ConnectionOptions::FromEnvironment()));
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    std::string dataset;
    std::int64_t rows = 0;
    std::size_t connections = 1;
    words >> command >> dataset >> rows >> connections;
    const auto started = std::chrono::steady_clock::now();
    if (command == "write") {
      commands.Write(dataset);
    } else if (command == "put") {
      commands.Put(dataset);
    } else if (command == "get") {
      commands.Get(dataset, rows);
    } else if (command == "stream") {
      commands.Stream(dataset, rows);
    } else if (command == "bare") {
      commands.Bare(dataset, rows, connections);
    } else {
      std::cerr << "expected write, put, get, stream or bare; was " << line << std::endl;
      return 2;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    std::cout << took.count() << std::endl;
  }
  return 0;
}
