#include "tick_commands.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arrow/record_batch.h"
#include "arrow/table.h"
#include "instant.h"
#include "interruption.h"
#include "options.h"
#include "row_file.h"
#include "row_text.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/tick_client.h"

namespace tickmesh::tool {

namespace {

constexpr std::int64_t kTerminalRows = 20;

struct PutArguments {
  std::string file;
  std::string subject;
  int version = 0;
  Output output = Output::kTable;
};

struct GetArguments {
  ReadOptions read;
  std::string start;
  std::string end;
  std::string out;
  Output output = Output::kTable;
};

struct TailArguments {
  TailOptions tail;
  bool only_new = false;
  std::int64_t count = 0;
};

arrow::Result<Finished> Put(const ConnectionOptions& connection, const PutArguments& wanted) {
  ARROW_ASSIGN_OR_RAISE(const auto registry, SchemaRegistryClient::Connect(connection));
  ARROW_ASSIGN_OR_RAISE(const auto schema, wanted.version > 0
                                               ? registry->Get(wanted.subject, wanted.version)
                                               : registry->InForce(wanted.subject));
  ARROW_ASSIGN_OR_RAISE(const auto rows, OpenCsv(wanted.file, *schema));
  ARROW_ASSIGN_OR_RAISE(const auto client, TickClient::Connect(connection));
  // The very version the file was read for, also when another one comes into force meanwhile.
  ARROW_ASSIGN_OR_RAISE(const PutReceipt receipt,
                        client->Put(wanted.subject, rows.get(), {.version = schema->version}));
  if (wanted.output == Output::kJson) {
    std::cout << "{\"subject\": " << JsonString(wanted.subject)
              << ", \"version\": " << schema->version << ", \"rows\": " << receipt.rows
              << ", \"dataset_revision\": " << receipt.dataset_revision << "}\n";
  } else {
    std::cout << receipt.rows << " rows stored in " << wanted.subject << " under version "
              << schema->version << ", dataset revision " << receipt.dataset_revision << '\n';
  }
  return Finished{};
}

arrow::Result<Finished> Get(const ConnectionOptions& connection, const GetArguments& wanted) {
  ReadOptions read = wanted.read;
  if (!wanted.start.empty()) {
    ARROW_ASSIGN_OR_RAISE(read.start_ns, ParseInstant(wanted.start));
  }
  if (!wanted.end.empty()) {
    ARROW_ASSIGN_OR_RAISE(read.end_ns, ParseInstant(wanted.end));
  }
  const bool on_terminal = wanted.out.empty() && wanted.output == Output::kTable;
  // One row more than is shown, to tell whether there are more.
  if (on_terminal && read.limit == 0) read.limit = kTerminalRows + 1;

  ARROW_ASSIGN_OR_RAISE(const auto client, TickClient::Connect(connection));
  ARROW_ASSIGN_OR_RAISE(const auto rows, client->Stream(read));
  if (!wanted.out.empty()) {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t written, WriteRows(rows.get(), wanted.out));
    std::cout << written << " rows written to " << wanted.out << '\n';
    return Finished{};
  }
  if (wanted.output == Output::kJson) {
    std::shared_ptr<arrow::RecordBatch> batch;
    while (true) {
      ARROW_RETURN_NOT_OK(rows->ReadNext(&batch));
      if (batch == nullptr) return Finished{};
      PrintJsonLines(*batch, std::cout);
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto table, rows->ToTable());
  const std::int64_t shown = wanted.read.limit > 0 ? wanted.read.limit : kTerminalRows;
  PrintRows(*table, shown, std::cout);
  if (table->num_rows() > shown) {
    std::cout << "the first " << shown << " rows; more with --limit, all with --out FILE.csv\n";
  }
  return Finished{};
}

arrow::Result<Finished> Tail(const ConnectionOptions& connection, const TailArguments& wanted) {
  Interruption interruption;
  ARROW_ASSIGN_OR_RAISE(const auto client, TickClient::Connect(connection));
  TailOptions options = wanted.tail;
  options.begin = wanted.only_new ? TailBegin::kNewest : TailBegin::kFirst;
  options.on_interruption = [](const arrow::Status& why) {
    std::cerr << "resuming: " << why.message() << '\n';
  };
  ARROW_ASSIGN_OR_RAISE(const auto tail, client->Tail(options));
  const auto listener = interruption.OnSignal([&tail] { tail->Close(); });

  std::string position = wanted.tail.after;
  std::int64_t seen = 0;
  arrow::Status failure;
  while (failure.ok() && (wanted.count == 0 || seen < wanted.count)) {
    auto next = tail->Next();
    if (!next.ok()) {
      if (interruption.signal() == 0) failure = next.status();
      break;
    }
    const TailBatch& piece = **next;
    const auto rows = wanted.count == 0 ? piece.batch : piece.batch->Slice(0, wanted.count - seen);
    PrintJsonLines(*rows, std::cout);
    seen += rows->num_rows();
    if (rows->num_rows() == piece.batch->num_rows()) position = piece.position;
  }
  if (!position.empty()) SayNext("ticks tail " + options.dataset + " --after " + position);
  ARROW_RETURN_NOT_OK(failure);
  return Finished{ExitCodeOfSignal(interruption.signal())};
}

void AddPut(CLI::App* ticks, Command* chosen) {
  auto put = std::make_shared<PutArguments>();
  auto* command = ticks->add_subcommand(
      "put", "Store the rows of FILE, all of them or none: CSV with a header, times with a zone.");
  command->add_option("file", put->file, "The file.")->required();
  command->add_option("--subject", put->subject, "The subject; its dataset has the same name.")
      ->required();
  command->add_option("--version", put->version, "The schema version; the one in force if absent.")
      ->check(CLI::PositiveNumber);
  AddOutput(command, &put->output);
  command->callback([chosen, put] {
    *chosen = [put](const ConnectionOptions& connection) { return Put(connection, *put); };
  });
}

void AddGet(CLI::App* ticks, Command* chosen) {
  static const std::map<std::string, ReadOrder> kOrders = {{"arrival", ReadOrder::kArrival},
                                                           {"time", ReadOrder::kTime}};
  auto get = std::make_shared<GetArguments>();
  ReadOptions* read = &get->read;
  auto* command = ticks->add_subcommand(
      "get",
      "Read DATASET to a file, or its first rows to the terminal; with --output json one "
      "object a row.");
  command->add_option("dataset", read->dataset, "The dataset.")->required();
  command->add_option("--start", get->start, "Event times from here on: 2026-11-20T14:30:00Z.");
  command->add_option("--end", get->end, "Event times before here.");
  AddChoices(command, &read->symbols, &read->columns);
  command->add_option("--limit", read->limit, "At most so many rows.")->check(CLI::PositiveNumber);
  command->add_option("--order", read->order, "As rows were committed, or by event time.")
      ->transform(CLI::CheckedTransformer(kOrders).description(""))
      ->type_name("arrival|time");
  auto* as_of = command->add_option("--as-of", read->as_of_revision, "As of this revision.")
                    ->check(CLI::PositiveNumber);
  command->add_option("--snapshot", read->snapshot, "As of this named snapshot.")->excludes(as_of);
  command->add_option("--version", read->version, "Read under this schema version.")
      ->check(CLI::PositiveNumber);
  command->add_flag("--stamps", read->stamps, "Add schema version, ingest time, dataset revision.");
  command->add_option("--out", get->out, "Write to this .csv or .arrow file.");
  AddOutput(command, &get->output);
  command->callback([chosen, get] {
    *chosen = [get](const ConnectionOptions& connection) { return Get(connection, *get); };
  });
}

void AddTail(CLI::App* ticks, Command* chosen) {
  auto tail = std::make_shared<TailArguments>();
  auto* command = ticks->add_subcommand(
      "tail",
      "Follow DATASET from its first row, a position, or now on: one JSON object a row. It "
      "goes on by itself when the connection was lost. When it ends, standard error says "
      "from which position to go on.");
  command->add_option("dataset", tail->tail.dataset, "The dataset.")->required();
  auto* after = command->add_option("--after", tail->tail.after,
                                    "Go on after this position of an earlier tail.");
  command->add_flag("--new", tail->only_new, "Only rows committed from now on.")->excludes(after);
  AddChoices(command, &tail->tail.symbols, &tail->tail.columns);
  command->add_option("--count", tail->count, "Stop after so many rows.")
      ->check(CLI::PositiveNumber);
  command->callback([chosen, tail] {
    *chosen = [tail](const ConnectionOptions& connection) { return Tail(connection, *tail); };
  });
}

}  // namespace

void AddTickCommands(CLI::App* app, Command* chosen) {
  auto* ticks = app->add_subcommand("ticks", "Store and read ticks.");
  ticks->require_subcommand(1);
  AddPut(ticks, chosen);
  AddGet(ticks, chosen);
  AddTail(ticks, chosen);
}

}  // namespace tickmesh::tool
