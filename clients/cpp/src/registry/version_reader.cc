#include "registry/version_reader.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

constexpr int kPageSize = 1000;
// Pinned references cannot form a circle, so that only a peer that is no registry goes deeper.
constexpr int kDeepestReference = 64;
constexpr auto kLagPause = std::chrono::milliseconds(25);

arrow::Status DeadlineError() {
  return MakeError(
      "the registry did not answer before the deadline",
      {.code = ErrorCode::kDeadlineExceeded, .reason = "DEADLINE_EXCEEDED", .domain = "tickmesh"});
}

}  // namespace

VersionReader::VersionReader(std::shared_ptr<RegistryConnection> connection, SchemaCache* cache)
    : connection_(std::move(connection)), cache_(cache) {}

arrow::Result<SchemaPointer> VersionReader::Read(const wire::SchemaVersion& message,
                                                 Deadline deadline, int depth) {
  if (depth > kDeepestReference) {
    return MakeError("expected references at most " + std::to_string(kDeepestReference) +
                         " deep, but those of " + message.subject() + " go on",
                     {.code = ErrorCode::kDataLoss, .reason = "REFERENCES_TOO_DEEP"});
  }
  RegisteredSchema schema = SchemaFromWire(message);
  for (const auto& reference : message.references()) {
    SchemaPointer referenced = cache_->Version(reference.subject(), reference.version());
    if (referenced == nullptr) {
      wire::GetSchemaRequest request;
      request.mutable_subject()->set_subject(reference.subject());
      request.mutable_subject()->set_version(reference.version());
      ARROW_ASSIGN_OR_RAISE(referenced, Get(request, deadline, depth + 1));
    }
    schema.referenced[reference.name()] = std::move(referenced);
  }
  return std::make_shared<const RegisteredSchema>(std::move(schema));
}

arrow::Result<SchemaPointer> VersionReader::Get(const wire::GetSchemaRequest& request,
                                                Deadline deadline, int depth) {
  wire::GetSchemaResponse response;
  ARROW_RETURN_NOT_OK(
      connection_->Call(&RegistryConnection::Stub::GetSchema, request, &response, deadline));
  ARROW_ASSIGN_OR_RAISE(auto schema, Read(response.schema(), deadline, depth));
  cache_->Add(schema, response.revision());
  return schema;
}

arrow::Result<VersionReader::TimelinePointer> VersionReader::Load(const std::string& subject,
                                                                  Deadline deadline) {
  while (true) {
    SchemaCache::Load load(cache_, subject);
    std::vector<SchemaPointer> versions;
    std::int64_t revision = 0;
    wire::ListVersionsRequest request;
    request.set_subject(subject);
    request.set_page_size(kPageSize);
    wire::ListVersionsResponse page;
    do {
      ARROW_RETURN_NOT_OK(
          connection_->Call(&RegistryConnection::Stub::ListVersions, request, &page, deadline));
      for (const auto& message : page.versions()) {
        ARROW_ASSIGN_OR_RAISE(auto schema, Read(message, deadline));
        versions.push_back(std::move(schema));
      }
      // The first page's revision: whatever changed since then comes by the watch as well.
      if (revision == 0) revision = page.revision();
      request.set_page_token(page.next_page_token());
    } while (!page.next_page_token().empty());
    if (auto timeline = load.Finish(std::move(versions), revision)) return timeline;
    if (std::chrono::steady_clock::now() + kLagPause >= deadline) {
      return MakeError(
          "the replica of the registry that answers is behind what the watch has seen "
          "already; try again",
          {.code = ErrorCode::kUnavailable, .reason = "REPLICA_BEHIND", .domain = "tickmesh"});
    }
    std::this_thread::sleep_for(kLagPause);
  }
}

arrow::Result<VersionReader::TimelinePointer> VersionReader::LoadOnce(const std::string& subject,
                                                                      Deadline deadline) {
  std::unique_lock lock(mutex_);
  auto [place, first] = flights_.try_emplace(subject);
  if (!first) {
    const std::shared_ptr<Flight> flight = place->second;
    if (!landed_.wait_until(lock, deadline, [&] { return flight->outcome.has_value(); })) {
      return DeadlineError();
    }
    return *flight->outcome;
  }
  const auto flight = std::make_shared<Flight>();
  place->second = flight;
  lock.unlock();
  // Another's load may have landed since this caller found nothing held.
  TimelinePointer held = cache_->Held(subject);
  auto outcome =
      held == nullptr ? Load(subject, deadline) : arrow::Result<TimelinePointer>(std::move(held));
  lock.lock();
  flight->outcome = outcome;
  flights_.erase(subject);
  landed_.notify_all();
  return outcome;
}

}  // namespace tickmesh::internal
