#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "command.h"
#include "row_text.h"
#include "schema_commands.h"
#include "tick_commands.h"
#include "tickmesh/status.h"
#include "tickmesh/version.h"

namespace {

using tickmesh::ConnectionOptions;
using tickmesh::ErrorCode;
using tickmesh::ErrorDetails;

// As the Python command line has them, after sysexits.h.
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kUnavailable = 69;
constexpr int kWrongConfiguration = 78;

int ExitCodeOf(const arrow::Status& status) {
  const ErrorDetails* details = tickmesh::GetErrorDetails(status);
  if (details == nullptr) return kFailed;
  if (details->reason == "CONFIG") return kWrongConfiguration;
  const bool is_away =
      details->code == ErrorCode::kUnavailable || details->code == ErrorCode::kDeadlineExceeded;
  return is_away ? kUnavailable : kFailed;
}

/// What to type next; empty where nothing is sure to help.
std::string NextCommand(const ErrorDetails& details) {
  if (details.reason == "UNREACHABLE") {
    return "tickmesh up, or name the servers with --registry, --tickstore, --tickstore-flight";
  }
  if (details.reason == "SUBJECT_NOT_FOUND") return "tickmesh schema list";
  if (details.reason == "DATASET_NOT_FOUND") return "tickmesh ticks list";
  return "";
}

int Report(const arrow::Status& status) {
  std::cerr << "error: " << status.message() << '\n';
  if (const ErrorDetails* details = tickmesh::GetErrorDetails(status)) {
    for (const auto& violation : details->violations) {
      // The message often has it word by word.
      if (status.message().find(violation.description) != std::string::npos) continue;
      std::cerr << "  " << violation.field << ": " << violation.description << '\n';
    }
    const std::string next = NextCommand(*details);
    if (!next.empty()) std::cerr << "  try: " << next << '\n';
    if (!details->request_id.empty()) std::cerr << "  request " << details->request_id << '\n';
  }
  return ExitCodeOf(status);
}

struct Addresses {
  std::string registry;
  std::string tickstore;
  std::string tickstore_flight;

  arrow::Result<ConnectionOptions> Options() const {
    ARROW_ASSIGN_OR_RAISE(auto options, ConnectionOptions::FromEnvironment());
    if (!registry.empty()) options.registry = registry;
    if (!tickstore.empty()) options.tickstore = tickstore;
    if (!tickstore_flight.empty()) options.tickstore_flight = tickstore_flight;
    return options;
  }
};

int Run(const tickmesh::tool::Command& command, const Addresses& addresses) {
  const auto options = addresses.Options();
  if (!options.ok()) return Report(options.status());
  const auto finished = command(*options);
  if (!finished.ok()) return Report(finished.status());
  if (!std::cout.flush()) {
    return Report(arrow::Status::IOError(
        "standard output cannot be written: make room where it goes, and run this again"));
  }
  return finished->exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Schema-governed market data, from C++. Settings come from TICKMESH_CLIENT__… as for every "
      "client; JSON output is API, tables are not.",
      "tickmesh-cpp"};
  app.set_version_flag("--version", std::string(tickmesh::Version::OfLibrary().text));
  app.require_subcommand(1);
  Addresses addresses;
  app.add_option("--registry", addresses.registry, "The schema registry, host:port.");
  app.add_option("--tickstore", addresses.tickstore, "The tick store (gRPC), host:port.");
  app.add_option("--tickstore-flight", addresses.tickstore_flight,
                 "The tick store (Flight), host:port.");
  tickmesh::tool::Command command;
  tickmesh::tool::AddSchemaCommands(&app, &command);
  tickmesh::tool::AddTickCommands(&app, &command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return Run(command, addresses);
}
