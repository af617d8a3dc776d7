// Follows a registry by SchemaWatch and says what it saw, a line of JSON a fact, until its input
// ends; tests/chaos judges that.
//
//   tickmesh_watch_recorder ADDRESS PREFIX REOPEN_MS
//
// The first watch begins with a snapshot. Every REOPEN_MS (0: never) the watch is closed and
// another one opened behind its last token. One that is told of a loss begins with a snapshot
// again.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "nlohmann/json.hpp"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kProgress{1};

/// An instant of the clock that all processes of this machine share.
std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

void Say(const char* record, json values) {
  values["at_ns"] = NowNs();
  std::cout << json{{record, std::move(values)}}.dump() << std::endl;
}

std::string TransitionName(FilterTransition transition) {
  switch (transition) {
    case FilterTransition::kEntered:
      return "entered";
    case FilterTransition::kLeft:
      return "left";
    case FilterTransition::kNone:
      break;
  }
  return "";
}

json Described(const ChangeEvent& event) {
  return {{"revision", event.revision},
          {"sequence", event.sequence},
          {"kind", ChangeKindName(event.kind)},
          {"subject", event.subject},
          {"version", event.schema ? event.schema->version : 0},
          {"previous_version", event.previous ? event.previous->version : 0},
          {"state", event.schema ? VersionStateName(event.schema->state) : ""},
          {"transition", TransitionName(event.transition)},
          {"text", event.schema ? event.schema->text : event.rejected_text}};
}

std::string KindName(WatchMessageKind kind) {
  switch (kind) {
    case WatchMessageKind::kEvents:
      return "events";
    case WatchMessageKind::kSnapshot:
      return "snapshot";
    case WatchMessageKind::kProgress:
      break;
  }
  return "progress";
}

class Recorder {
 public:
  Recorder(SchemaRegistryClient* client, std::string prefix, milliseconds reopen)
      : client_(client), prefix_(std::move(prefix)), reopen_(reopen) {}

  /// Watch again and again until `Stop`.
  void Run() {
    while (SchemaWatch* watch = Open()) {
      const arrow::Status status = Follow(*watch);
      const ErrorDetails* details = GetErrorDetails(status);
      const bool closed = status.ok() || ReasonOf(status) == "CLOSED";
      Say("ended", {{"by", closed ? "watcher" : "server"},
                    {"code", closed ? "CANCELLED" : ErrorCodeName(details->code)},
                    {"reason", closed ? "" : details->reason},
                    {"metadata", closed ? json::object() : json(details->metadata)}});
      if (!closed) token_.clear();
    }
  }

  /// From another thread.
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (watch_ != nullptr) watch_->Close();
  }

 private:
  SchemaWatch* Open() {
    const std::lock_guard lock(mutex_);
    if (stopped_) return nullptr;
    Say("opened", {{"token", token_}});
    watch_ = client_
                 ->OpenWatch({.subject_prefix = prefix_,
                              .after_token = token_,
                              .begin = WatchBegin::kSnapshot,
                              .progress_interval = kProgress})
                 .ValueOrDie();
    return watch_.get();
  }

  arrow::Status Follow(SchemaWatch& watch) {
    const auto reopen_at = steady_clock::now() + reopen_;
    while (reopen_ == milliseconds(0) || steady_clock::now() < reopen_at || token_.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto message, watch.Next(milliseconds(200)));
      if (!message) continue;
      json events = json::array();
      for (const ChangeEvent& event : message->events) events.push_back(Described(event));
      Say("message", {{"kind", KindName(message->kind)},
                      {"revision", message->revision},
                      {"token", message->token},
                      {"events", std::move(events)}});
      token_ = message->token;
    }
    return arrow::Status::OK();
  }

  SchemaRegistryClient* const client_;
  const std::string prefix_;
  const milliseconds reopen_;
  std::string token_;
  std::mutex mutex_;  // guards what follows
  bool stopped_ = false;
  std::unique_ptr<SchemaWatch> watch_;
};

int Main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "expected ADDRESS PREFIX REOPEN_MS\n";
    return 2;
  }
  const auto client = SchemaRegistryClient::Connect({.registry = argv[1]}).ValueOrDie();
  Recorder recorder(client.get(), argv[2], milliseconds(std::atoi(argv[3])));
  std::thread watching([&recorder] { recorder.Run(); });
  for (std::string line; std::getline(std::cin, line);) {
  }
  recorder.Stop();
  watching.join();
  return 0;
}

}  // namespace
}  // namespace tickmesh

int main(int argc, char** argv) { return tickmesh::Main(argc, argv); }
