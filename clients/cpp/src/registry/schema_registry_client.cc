#include "tickmesh/schema_registry_client.h"

#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "registry/cache_follower.h"
#include "registry/schema_watch_impl.h"
#include "tickmesh/status.h"

namespace tickmesh {

namespace {

using internal::Deadline;
using internal::SchemaPointer;
using internal::Timeline;
namespace wire = internal::wire;

constexpr int kSubjectsPage = 1000;

std::int64_t SystemNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

arrow::Status NotFound(std::string message, std::string reason) {
  return MakeError(
      std::move(message),
      {.code = ErrorCode::kNotFound, .reason = std::move(reason), .domain = "tickmesh"});
}

arrow::Status CheckInterval(std::chrono::milliseconds interval) {
  if (interval >= std::chrono::seconds(1) && interval <= std::chrono::seconds(60)) {
    return arrow::Status::OK();
  }
  return MakeError(
      "progress_interval: expected 1 to 60 s, was " + std::to_string(interval.count()) + " ms",
      {.code = ErrorCode::kInvalidArgument, .reason = "CONFIG"});
}

}  // namespace

class SchemaRegistryClient::Impl {
 public:
  Impl(const ConnectionOptions& options, const SchemaCacheOptions& cache)
      : now_ns_(cache.now_ns ? cache.now_ns : SystemNowNs),
        connection_(std::make_shared<internal::RegistryConnection>(options)),
        cache_(cache),
        reader_(connection_, &cache_),
        progress_(now_ns_()),
        follower_(connection_, &reader_, &cache_, &progress_, &listeners_, cache, now_ns_) {}

  /// Follow in a thread that keeps `self` until it ends.
  void Start(std::shared_ptr<Impl> self) {
    thread_ = std::thread([self = std::move(self)] { self->follower_.Run(); });
  }

  void Close() {
    closed_ = true;
    listeners_.Close();
    follower_.Close();
    connection_->Close();
    progress_.Close();
  }

  /// Close, and wait for the thread unless this is it: then it ends once its callback returns.
  void Stop() {
    Close();
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else if (thread_.joinable()) {
      thread_.join();
    }
  }

  bool closed() const { return closed_; }

  std::int64_t now_ns() const { return now_ns_(); }
  internal::RegistryConnection& connection() { return *connection_; }
  internal::SchemaCache& cache() { return cache_; }
  internal::VersionReader& reader() { return reader_; }
  internal::FollowProgress& progress() { return progress_; }
  internal::ChangeListeners& listeners() { return listeners_; }

  /// What `choose` takes from the subject's timeline, loaded if it is not held.
  template <typename Choose>
  arrow::Result<SchemaPointer> Find(std::string_view subject, Choose&& choose) {
    auto found = cache_.Lookup(subject, choose);
    if (found.held) return std::move(found.schema);
    ARROW_ASSIGN_OR_RAISE(const auto timeline,
                          reader_.LoadOnce(std::string(subject), connection_->NewDeadline()));
    return choose(*timeline);
  }

 private:
  const std::function<std::int64_t()> now_ns_;
  const std::shared_ptr<internal::RegistryConnection> connection_;
  internal::SchemaCache cache_;
  internal::VersionReader reader_;
  internal::FollowProgress progress_;
  internal::ChangeListeners listeners_;
  internal::CacheFollower follower_;
  std::atomic<bool> closed_{false};
  std::thread thread_;
};

arrow::Result<std::unique_ptr<SchemaRegistryClient>> SchemaRegistryClient::Connect(
    const ConnectionOptions& options, const SchemaCacheOptions& cache) {
  ARROW_RETURN_NOT_OK(options.Validate());
  ARROW_RETURN_NOT_OK(CheckInterval(cache.progress_interval));
  auto impl = std::make_shared<Impl>(options, cache);
  try {
    impl->Start(impl);
  } catch (const std::system_error& error) {
    return MakeError(std::string("cannot start the watch's thread: ") + error.what(),
                     {.code = ErrorCode::kResourceExhausted, .reason = "NO_THREAD"});
  }
  return std::make_unique<SchemaRegistryClient>(std::move(impl));
}

SchemaRegistryClient::SchemaRegistryClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

SchemaRegistryClient::~SchemaRegistryClient() { impl_->Stop(); }

arrow::Result<SchemaPointer> SchemaRegistryClient::Get(std::string_view subject,
                                                       std::int32_t version) {
  ARROW_ASSIGN_OR_RAISE(auto found, impl_->Find(subject, [version](const Timeline& timeline) {
    return timeline.Version(version);
  }));
  if (found != nullptr) return found;
  wire::GetSchemaRequest request;
  request.mutable_subject()->set_subject(std::string(subject));
  request.mutable_subject()->set_version(version);
  return impl_->reader().Get(request, impl_->connection().NewDeadline());
}

arrow::Result<SchemaPointer> SchemaRegistryClient::Latest(std::string_view subject) {
  ARROW_ASSIGN_OR_RAISE(
      auto found, impl_->Find(subject, [](const Timeline& timeline) { return timeline.Latest(); }));
  if (found != nullptr) return found;
  return NotFound(
      "expected a version of \"" + std::string(subject) + "\", but all of them are deleted",
      "VERSION_NOT_FOUND");
}

arrow::Result<SchemaPointer> SchemaRegistryClient::InForce(std::string_view subject,
                                                           const InForceOptions& options) {
  ARROW_ASSIGN_OR_RAISE(auto found, impl_->Find(subject, [&](const Timeline& timeline) {
    if (!options.at_ns && !options.known_at_ns) return timeline.InForce(impl_->now_ns());
    const std::int64_t now_ns = impl_->now_ns();
    return timeline.InForce(options.at_ns.value_or(now_ns), options.known_at_ns.value_or(now_ns));
  }));
  if (found != nullptr) return found;
  return NotFound("no version of \"" + std::string(subject) + "\" is in force at the instant asked",
                  "NOTHING_IN_FORCE");
}

arrow::Result<SchemaPointer> SchemaRegistryClient::ById(std::int32_t schema_id) {
  if (auto found = impl_->cache().ById(schema_id)) return found;
  wire::GetSchemaRequest request;
  request.set_schema_id(schema_id);
  return impl_->reader().Get(request, impl_->connection().NewDeadline());
}

arrow::Result<SchemaPointer> SchemaRegistryClient::ByFingerprint(std::string_view fingerprint) {
  if (auto found = impl_->cache().ByFingerprint(fingerprint)) return found;
  wire::GetSchemaRequest request;
  request.set_fingerprint(std::string(fingerprint));
  return impl_->reader().Get(request, impl_->connection().NewDeadline());
}

arrow::Result<std::vector<SchemaPointer>> SchemaRegistryClient::Versions(std::string_view subject) {
  auto timeline = impl_->cache().TimelineOf(subject);
  if (timeline == nullptr) {
    ARROW_ASSIGN_OR_RAISE(timeline, impl_->reader().LoadOnce(std::string(subject),
                                                             impl_->connection().NewDeadline()));
  }
  return timeline->versions();
}

arrow::Result<std::vector<SubjectSummary>> SchemaRegistryClient::Subjects(std::string_view prefix) {
  const Deadline deadline = impl_->connection().NewDeadline();
  std::vector<SubjectSummary> subjects;
  wire::ListSubjectsRequest request;
  request.set_page_size(kSubjectsPage);
  request.set_prefix(std::string(prefix));
  wire::ListSubjectsResponse page;
  do {
    ARROW_RETURN_NOT_OK(impl_->connection().Call(&internal::RegistryConnection::Stub::ListSubjects,
                                                 request, &page, deadline));
    for (const auto& subject : page.subjects()) {
      subjects.push_back({.name = subject.name(),
                          .latest_version = subject.latest_version(),
                          .version_count = subject.version_count(),
                          .revision = subject.revision()});
    }
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  return subjects;
}

arrow::Result<Subscription> SchemaRegistryClient::OnSchemaChange(
    ChangeFilter filter, std::function<void(const SchemaChange&)> callback) {
  if (impl_->closed()) return internal::ClosedError();
  if (!callback) {
    return MakeError("OnSchemaChange: expected a callback, got an empty function",
                     {.code = ErrorCode::kInvalidArgument, .reason = "INVALID_ARGUMENT"});
  }
  return Subscription(impl_->listeners().Add(std::move(filter), std::move(callback)));
}

arrow::Result<std::unique_ptr<SchemaWatch>> SchemaRegistryClient::OpenWatch(
    const WatchOptions& options) {
  if (impl_->closed()) return internal::ClosedError();
  ARROW_RETURN_NOT_OK(CheckInterval(options.progress_interval));
  return std::make_unique<SchemaWatch>(
      std::make_unique<SchemaWatch::Impl>(impl_->connection().options(), options));
}

arrow::Status SchemaRegistryClient::WaitForRevision(std::int64_t revision,
                                                    std::chrono::milliseconds timeout) {
  return impl_->progress().WaitFor(revision, timeout);
}

CacheStatistics SchemaRegistryClient::cache_statistics() const {
  CacheStatistics statistics;
  impl_->cache().Count(&statistics);
  impl_->progress().Tell(&statistics);
  return statistics;
}

void SchemaRegistryClient::Close() { impl_->Close(); }

}  // namespace tickmesh
