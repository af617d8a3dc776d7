#include "schema_commands.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "instant.h"
#include "interruption.h"
#include "options.h"
#include "schema_text.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

namespace tickmesh::tool {

namespace {

struct GetArguments {
  std::string subject;
  int version = 0;
  bool latest = false;
  std::string at;
  std::string known_at;
  bool text = false;
  Output output = Output::kTable;
};

struct WatchArguments {
  std::vector<std::string> subjects;
  std::string prefix;
  std::optional<std::int64_t> after_revision;
  bool snapshot = false;
  std::int64_t count = 0;
  Output output = Output::kTable;
};

arrow::Result<std::shared_ptr<const RegisteredSchema>> Find(SchemaRegistryClient* client,
                                                            const GetArguments& wanted) {
  if (wanted.version > 0) return client->Get(wanted.subject, wanted.version);
  if (wanted.latest) return client->Latest(wanted.subject);
  InForceOptions instants;
  if (!wanted.at.empty()) {
    ARROW_ASSIGN_OR_RAISE(instants.at_ns, ParseInstant(wanted.at));
  }
  if (!wanted.known_at.empty()) {
    ARROW_ASSIGN_OR_RAISE(instants.known_at_ns, ParseInstant(wanted.known_at));
  }
  return client->InForce(wanted.subject, instants);
}

arrow::Result<Finished> Get(const ConnectionOptions& connection, const GetArguments& wanted) {
  ARROW_ASSIGN_OR_RAISE(const auto client, SchemaRegistryClient::Connect(connection));
  ARROW_ASSIGN_OR_RAISE(const auto schema, Find(client.get(), wanted));
  std::cout << (wanted.text ? schema->text : SchemaText(*schema, wanted.output)) << '\n';
  return Finished{};
}

/// The command that goes on behind `revision`.
std::string GoingOn(const WatchArguments& wanted, std::int64_t revision) {
  std::string line = "schema watch";
  for (const auto& subject : wanted.subjects) line += " " + subject;
  if (!wanted.prefix.empty()) line += " --prefix " + wanted.prefix;
  return line + " --after-revision " + std::to_string(revision);
}

arrow::Result<Finished> Watch(const ConnectionOptions& connection, const WatchArguments& wanted) {
  Interruption interruption;
  ARROW_ASSIGN_OR_RAISE(const auto client, SchemaRegistryClient::Connect(connection));
  WatchOptions options{
      .subjects = wanted.subjects,
      .subject_prefix = wanted.prefix,
      .after_revision = wanted.after_revision,
      .begin = wanted.snapshot ? WatchBegin::kSnapshot : WatchBegin::kNow,
      .on_interruption =
          [](const arrow::Status& why) { std::cerr << "resuming: " << why.message() << '\n'; },
  };
  ARROW_ASSIGN_OR_RAISE(const auto watch, client->OpenWatch(options));
  const auto listener = interruption.OnSignal([&watch] { watch->Close(); });

  std::optional<std::int64_t> revision = wanted.after_revision;
  std::int64_t seen = 0;
  arrow::Status failure;
  while (failure.ok() && (wanted.count == 0 || seen < wanted.count)) {
    auto next = watch->Next();
    if (!next.ok()) {
      if (interruption.signal() == 0) failure = next.status();
      break;
    }
    const WatchMessage& message = **next;
    std::size_t printed = 0;
    for (const ChangeEvent& event : message.events) {
      if (wanted.count > 0 && seen == wanted.count) break;
      std::cout << EventLine(event, wanted.output) << std::endl;
      ++printed;
      ++seen;
    }
    if (printed == message.events.size()) revision = message.revision;
  }
  if (revision) SayNext(GoingOn(wanted, *revision));
  ARROW_RETURN_NOT_OK(failure);
  return Finished{ExitCodeOfSignal(interruption.signal())};
}

}  // namespace

void AddSchemaCommands(CLI::App* app, Command* chosen) {
  auto* schema = app->add_subcommand("schema", "Look at schemas and their changes.");
  schema->require_subcommand(1);

  auto get = std::make_shared<GetArguments>();
  auto* get_command =
      schema->add_subcommand("get", "Print a version of SUBJECT, by default the one in force.");
  get_command->add_option("subject", get->subject, "The subject.")->required();
  auto* version =
      get_command->add_option("--version", get->version, "A version.")->check(CLI::PositiveNumber);
  auto* latest = get_command->add_flag("--latest", get->latest, "The highest version not deleted.")
                     ->excludes(version);
  auto* at = get_command->add_option("--at", get->at, "The one in force at this instant.")
                 ->excludes(version)
                 ->excludes(latest);
  get_command
      ->add_option("--known-at", get->known_at, "With --at: as it was known at this instant.")
      ->needs(at);
  get_command->add_flag("--text", get->text, "Print only the schema text.");
  AddOutput(get_command, &get->output);
  get_command->callback([chosen, get] {
    *chosen = [get](const ConnectionOptions& connection) { return Get(connection, *get); };
  });

  auto watch = std::make_shared<WatchArguments>();
  auto* watch_command = schema->add_subcommand(
      "watch",
      "Follow changes of SUBJECTS, or of all, as they happen: one line a change; a broken "
      "connection "
      "is resumed. When it ends, standard error says from which revision to go on.");
  watch_command->add_option("subjects", watch->subjects, "The subjects.");
  watch_command->add_option("--prefix", watch->prefix,
                            "Only subjects whose names begin with this.");
  auto* after =
      watch_command->add_option("--after-revision", watch->after_revision, "Begin after this one.")
          ->check(CLI::NonNegativeNumber);
  watch_command->add_flag("--snapshot", watch->snapshot, "Begin with everything as it is.")
      ->excludes(after);
  watch_command->add_option("--count", watch->count, "Stop after so many changes.")
      ->check(CLI::PositiveNumber);
  AddOutput(watch_command, &watch->output);
  watch_command->callback([chosen, watch] {
    *chosen = [watch](const ConnectionOptions& connection) { return Watch(connection, *watch); };
  });
}

}  // namespace tickmesh::tool
