#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tickmesh/api/registry/v1/schema_registry_service.grpc.pb.h"

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/support/schema_changes.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

// Peers that speak the protocol and do not keep to it.

namespace tickmesh {
namespace {

namespace registry = api::registry::v1;

using std::chrono::seconds;
using testing::kPatience;

/// Breaks the rules in every answer; serves while it lives.
class LyingRegistry final : public registry::SchemaRegistryService::Service {
 public:
  LyingRegistry() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~LyingRegistry() override { server_->Shutdown(std::chrono::system_clock::now()); }

  ConnectionOptions options() const {
    return {.registry = "127.0.0.1:" + std::to_string(port_), .call_timeout = seconds(20)};
  }

  /// How often a watch was opened, and the token it was last opened after.
  int opened() const { return opened_; }

  grpc::Status GetSchema(grpc::ServerContext* /*context*/,
                         const registry::GetSchemaRequest* request,
                         registry::GetSchemaResponse* response) override {
    *response->mutable_schema() = Version(request->subject().subject(), 1);
    return grpc::Status::OK;
  }

  grpc::Status ListVersions(grpc::ServerContext* /*context*/,
                            const registry::ListVersionsRequest* request,
                            registry::ListVersionsResponse* response) override {
    response->set_revision(100);
    *response->add_versions() = Version(request->subject(), 1);
    *response->add_versions() = Version(request->subject(), 1);
    *response->add_versions() = Version(request->subject(), -5);
    return grpc::Status::OK;
  }

  grpc::Status Watch(grpc::ServerContext* /*context*/, const registry::WatchRequest* request,
                     grpc::ServerWriter<registry::WatchResponse>* writer) override {
    const int opened = ++opened_;
    const bool resumed = request->has_after_token();
    registry::WatchResponse response;
    response.set_kind(registry::WatchResponse::KIND_PROGRESS);
    response.set_revision(resumed ? 12 : 10);
    response.set_token(resumed ? "twelve" : "ten");
    writer->Write(response);
    if (opened == 1) {
      // Says that there was a response after 10, which never came.
      response.set_revision(12);
      response.set_prev_revision(11);
      writer->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  static registry::SchemaVersion Version(const std::string& subject, int number) {
    registry::SchemaVersion version;
    version.set_subject(subject);
    version.set_version(number);
    version.set_state(static_cast<registry::VersionState>(number < 0 ? 77 : 1));
    version.set_arrow_schema("no schema at all");
    version.mutable_effective_from()->set_seconds(INT64_MAX);
    if (subject == "circle") {
      auto* reference = version.add_references();
      reference->set_name("itself");
      reference->set_subject("circle");
      reference->set_version(1);
    }
    return version;
  }

  int port_ = 0;
  std::atomic<int> opened_{0};
  std::unique_ptr<grpc::Server> server_;
};

TEST(RegistryHostileTest, AVersionWhoseArrowSchemaIsNonsenseHasNone) {
  const LyingRegistry registry;
  const auto client = SchemaRegistryClient::Connect(registry.options()).ValueOrDie();
  const auto schema = client->Get("nonsense", 1).ValueOrDie();
  EXPECT_EQ(schema->arrow_schema, nullptr);
  EXPECT_EQ(client->Get("nonsense", -5).ValueOrDie()->state, VersionState::kUnknown);
}

TEST(RegistryHostileTest, ReferencesInACircleEndAsAStatus) {
  const LyingRegistry registry;
  const auto client = SchemaRegistryClient::Connect(registry.options()).ValueOrDie();
  EXPECT_EQ(ReasonOf(client->Latest("circle").status()), "REFERENCES_TOO_DEEP");
}

TEST(RegistryHostileTest, W3AGapInTheChainIsNoticedAndTheWatchResumesBeforeIt) {
  const LyingRegistry registry;
  const auto client = SchemaRegistryClient::Connect(registry.options()).ValueOrDie();
  std::atomic<int> gaps{0};
  const auto watch = client
                         ->OpenWatch({.on_interruption =
                                          [&](const arrow::Status& status) {
                                            if (ReasonOf(status) == "WATCH_GAP") ++gaps;
                                          }})
                         .ValueOrDie();
  // The client's own watch and this one are told the same; one of them is lied to.
  for (std::int64_t revision = 0; revision < 12;) {
    const auto message = watch->Next(kPatience).ValueOrDie();
    ASSERT_TRUE(message);
    revision = message->revision;
  }
  EXPECT_TRUE(client->WaitForRevision(12, kPatience).ok());
  EXPECT_GE(registry.opened(), 4);
  EXPECT_LE(gaps, 1);
}

/// Has compacted its log whenever a watch wants to resume; each new watch finds one version more.
class ForgetfulRegistry final : public registry::SchemaRegistryService::Service {
 public:
  ForgetfulRegistry() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ForgetfulRegistry() override { server_->Shutdown(std::chrono::system_clock::now()); }

  ConnectionOptions options() const { return {.registry = "127.0.0.1:" + std::to_string(port_)}; }

  /// Let the watch that is open break, to be resumed.
  void BreakWatch() { broken_ = true; }

  grpc::Status ListVersions(grpc::ServerContext* /*context*/,
                            const registry::ListVersionsRequest* request,
                            registry::ListVersionsResponse* response) override {
    response->set_revision(10 * begun_);
    for (int number = 1; number <= begun_; ++number) {
      auto* version = response->add_versions();
      version->set_subject(request->subject());
      version->set_version(number);
      version->set_state(registry::VERSION_STATE_ACTIVE);
    }
    return grpc::Status::OK;
  }

  grpc::Status Watch(grpc::ServerContext* context, const registry::WatchRequest* request,
                     grpc::ServerWriter<registry::WatchResponse>* writer) override {
    if (request->has_after_token()) return Compacted();
    registry::WatchResponse response;
    response.set_kind(registry::WatchResponse::KIND_PROGRESS);
    response.set_revision(10 * ++begun_);
    response.set_token("a token");
    writer->Write(response);
    while (!context->IsCancelled()) {
      if (broken_.exchange(false)) return {grpc::StatusCode::UNAVAILABLE, "going down"};
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return grpc::Status::CANCELLED;
  }

 private:
  static grpc::Status Compacted() {
    google::rpc::ErrorInfo info;
    info.set_reason("REVISION_COMPACTED");
    info.set_domain("tickmesh");
    google::rpc::Status status;
    status.set_code(static_cast<int>(grpc::StatusCode::OUT_OF_RANGE));
    status.add_details()->PackFrom(info);
    return {grpc::StatusCode::OUT_OF_RANGE, "compacted", status.SerializeAsString()};
  }

  int port_ = 0;
  std::atomic<int> begun_{0};
  std::atomic<bool> broken_{false};
  std::unique_ptr<grpc::Server> server_;
};

TEST(RegistryHostileTest, W8WhatIsHeldIsReadAnewWhenTheLogWasCompacted) {
  ForgetfulRegistry registry;
  const auto client = SchemaRegistryClient::Connect(registry.options()).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(10, kPatience).ok());
  EXPECT_EQ(client->Latest("subject").ValueOrDie()->version, 1);
  EXPECT_EQ(client->cache_statistics().reloads, 0);
  registry.BreakWatch();
  ASSERT_TRUE(client->WaitForRevision(20, kPatience).ok());
  EXPECT_EQ(client->Latest("subject").ValueOrDie()->version, 2);
  EXPECT_EQ(client->cache_statistics().reloads, 1);
}

}  // namespace
}  // namespace tickmesh
