#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tickmesh/api/registry/v1/schema_registry_service.grpc.pb.h"

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/schema_changes.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

namespace registry = api::registry::v1;

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ChangesHeard;
using testing::kPatience;

std::unique_ptr<SchemaRegistryClient> Connected(
    const ConnectionOptions& options = testing::ToServers(), const SchemaCacheOptions& cache = {}) {
  auto client = SchemaRegistryClient::Connect(options, cache).ValueOrDie();
  EXPECT_TRUE(client->WaitForRevision(0, kPatience).ok());
  return client;
}

ErrorCode CodeOf(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  return details == nullptr ? ErrorCode::kUnknown : details->code;
}

/// A schema of trades under which a price of older rows is too small.
std::string BreakingSchema() {
  return R"({"type": "object", "properties": {"price": {"type": "number", "minimum": 1000}},
             "required": ["price"]})";
}

TEST(RegistryClientTest, AnswersAVersionByNumberLatestInForceIdAndFingerprint) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  const auto client = Connected();

  const auto first = client->Get(subject, 1).ValueOrDie();
  EXPECT_EQ(first->text, testing::TradesSchema());
  EXPECT_EQ(first->action, RegistrationAction::kFirst);
  EXPECT_EQ(first->actor.principal, "anonymous");
  EXPECT_NE(first->arrow_schema, nullptr);
  const auto second = client->Latest(subject).ValueOrDie();
  EXPECT_EQ(second->version, 2);
  EXPECT_EQ(client->InForce(subject).ValueOrDie(), second);
  EXPECT_EQ(client->ById(second->schema_id).ValueOrDie()->fingerprint, second->fingerprint);
  EXPECT_EQ(client->ByFingerprint(first->fingerprint).ValueOrDie()->schema_id, first->schema_id);
  EXPECT_EQ(client->Versions(subject).ValueOrDie().size(), 2u);
  const auto summaries = client->Subjects(subject).ValueOrDie();
  ASSERT_EQ(summaries.size(), 1u);
  EXPECT_EQ(summaries[0].latest_version, 2);
}

TEST(RegistryClientTest, OnlyTheFirstLookupOfASubjectAsksTheRegistry) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = Connected();
  for (int lookup = 0; lookup < 100; ++lookup) ASSERT_TRUE(client->Latest(subject).ok());
  const CacheStatistics statistics = client->cache_statistics();
  EXPECT_EQ(statistics.misses, 1);
  EXPECT_EQ(statistics.hits, 99);
  EXPECT_EQ(statistics.subjects, 1);
  EXPECT_FALSE(statistics.stale_since_ns);
}

TEST(RegistryClientTest, WhatIsNotThereIsSaidWithTheRegistrysReasonEachTimeAnew) {
  const std::string subject = testing::FreshSubject();
  const auto client = Connected();
  const arrow::Status unknown = client->Latest(subject).status();
  EXPECT_EQ(ReasonOf(unknown), "SUBJECT_NOT_FOUND");
  EXPECT_TRUE(unknown.IsKeyError());
  EXPECT_EQ(ReasonOf(client->ById(2'000'000'000).status()), "SCHEMA_NOT_FOUND");
  EXPECT_EQ(ReasonOf(client->ByFingerprint("00").status()), "SCHEMA_NOT_FOUND");
  testing::RegisterSchema(subject, testing::TradesSchema());
  EXPECT_TRUE(client->Latest(subject).ok());
  EXPECT_EQ(ReasonOf(client->Get(subject, 7).status()), "VERSION_NOT_FOUND");
  EXPECT_EQ(ReasonOf(client->InForce(subject, {.at_ns = 1}).status()), "NOTHING_IN_FORCE");
}

TEST(RegistryClientTest, AVersionThatTakesEffectLaterTakesOverByTheClientsOwnClock) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = Connected();
  const std::int64_t now = client->Latest(subject).ValueOrDie()->registered_at_ns;
  const std::int64_t later = now + 3'600'000'000'000;
  testing::RegisterSchema(subject, testing::TradesSchema("fee"), {.effective_from_ns = later});
  std::atomic<std::int64_t> clock{later - 1};
  const auto watching = Connected(testing::ToServers(), {.now_ns = [&] { return clock.load(); }});
  EXPECT_EQ(watching->InForce(subject).ValueOrDie()->version, 1);
  EXPECT_EQ(watching->Latest(subject).ValueOrDie()->version, 2);
  clock = later;
  EXPECT_EQ(watching->InForce(subject).ValueOrDie()->version, 2);
  EXPECT_EQ(watching->InForce(subject, {.at_ns = later, .known_at_ns = now}).ValueOrDie()->version,
            1);
}

TEST(RegistryClientTest, ChangesAreToldWithTheOldAndTheNewSchemaAndTheReport) {
  const std::string subject = testing::FreshSubject();
  const auto client = Connected();
  ChangesHeard heard;
  const Subscription subscription =
      client->OnSchemaChange({.subjects = {subject}}, heard.callback()).ValueOrDie();
  testing::RegisterSchema(subject, testing::TradesSchema());
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  EXPECT_THROW(testing::RegisterSchema(subject, BreakingSchema()), std::runtime_error);
  testing::RegisterSchema(subject, BreakingSchema(), {.allow_breaking = true});

  const auto changes = heard.WaitFor(4);
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(changes[0].action, ChangeAction::kFirst);
  EXPECT_EQ(changes[0].old_schema, nullptr);
  EXPECT_EQ(changes[1].action, ChangeAction::kCompatible);
  EXPECT_EQ(changes[1].old_schema->version, 1);
  EXPECT_EQ(changes[1].new_schema->version, 2);
  EXPECT_EQ(changes[2].action, ChangeAction::kRejected);
  EXPECT_EQ(changes[2].rejected_text, BreakingSchema());
  EXPECT_EQ(changes[2].new_schema, nullptr);
  EXPECT_EQ(changes[3].action, ChangeAction::kBreaking);
  EXPECT_EQ(changes[3].new_schema->version, 3);
  for (const std::size_t breaking : {2, 3}) {
    ASSERT_TRUE(changes[breaking].report);
    EXPECT_EQ(changes[breaking].report->verdict, Verdict::kIncompatible);
    bool witnessed = false;
    for (const auto& judged : changes[breaking].report->changes) {
      witnessed = witnessed || !judged.witness.empty();
    }
    EXPECT_TRUE(witnessed) << "a refusal carries a document that shows it";
  }
  EXPECT_EQ(client->Latest(subject).ValueOrDie()->version, 3);
}

TEST(RegistryClientTest, TheCacheHoldsAChangeBeforeACallbackHearsOfItAndACallbackMayUseTheClient) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const std::string other = testing::FreshSubject();
  testing::RegisterSchema(other, testing::TradesSchema());
  const auto client = Connected();
  ASSERT_TRUE(client->Latest(subject).ok());
  std::promise<std::pair<int, int>> seen;
  const Subscription subscription =
      client
          ->OnSchemaChange({.subjects = {subject}},
                           [&](const SchemaChange&) {
                             // The second one is not held: the callback asks the registry.
                             seen.set_value({client->Latest(subject).ValueOrDie()->version,
                                             client->Latest(other).ValueOrDie()->version});
                           })
          .ValueOrDie();
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  auto answer = seen.get_future();
  ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(answer.get(), std::make_pair(2, 1));
}

TEST(RegistryClientTest, WhatASchemaRefersToComesWithItAlsoByTheWatch) {
  const std::string trade = testing::FreshSubject();
  testing::RegisterSchema(trade, testing::TradesSchema());
  const std::string subject = testing::FreshSubject();
  const auto client = Connected();
  ChangesHeard heard;
  const Subscription subscription =
      client->OnSchemaChange({.subjects = {subject}}, heard.callback()).ValueOrDie();
  const auto stub = registry::SchemaRegistryService::NewStub(
      grpc::CreateChannel(testing::ToServers().registry, grpc::InsecureChannelCredentials()));
  registry::RegisterSchemaRequest request;
  request.set_subject(subject);
  request.set_text(R"({"type": "object", "properties": {"trade": {"$ref": "trade.json"}}})");
  auto* reference = request.add_references();
  reference->set_name("trade.json");
  reference->set_subject(trade);
  reference->set_version(1);
  grpc::ClientContext context;
  registry::RegisterSchemaResponse response;
  ASSERT_TRUE(stub->RegisterSchema(&context, request, &response).ok());

  for (const auto& schema :
       {client->Latest(subject).ValueOrDie(), heard.WaitFor(1).at(0).new_schema}) {
    ASSERT_EQ(schema->referenced.count("trade.json"), 1u);
    EXPECT_EQ(schema->referenced.at("trade.json")->subject, trade);
    EXPECT_EQ(schema->referenced.at("trade.json")->text, testing::TradesSchema());
  }
}

TEST(RegistryClientTest, ThreadsThatMissAtATimeShareOneLoad) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = Connected(testing::ThroughFaultyWires());
  testing::Break("registry hold");
  std::vector<std::future<arrow::Result<std::shared_ptr<const RegisteredSchema>>>> answers;
  for (int thread = 0; thread < 4; ++thread) {
    answers.push_back(std::async(std::launch::async, [&] { return client->Latest(subject); }));
  }
  while (client->cache_statistics().misses < 4) std::this_thread::yield();
  testing::Break("registry heal");
  std::vector<const RegisteredSchema*> found;
  for (auto& answer : answers) found.push_back(answer.get().ValueOrDie().get());
  EXPECT_THAT(found, ::testing::Each(found.front())) << "one load makes one value";
}

TEST(RegistryClientTest, WaitingForARevisionEndsAtItsDeadlineAndWithTheClient) {
  const auto client = Connected();
  const std::int64_t far = client->cache_statistics().revision + 1'000'000;
  EXPECT_EQ(CodeOf(client->WaitForRevision(far, milliseconds(20))), ErrorCode::kDeadlineExceeded);
  auto waiting =
      std::async(std::launch::async, [&] { return client->WaitForRevision(far, kPatience); });
  client->Close();
  EXPECT_EQ(ReasonOf(waiting.get()), "CLOSED");
}

TEST(RegistryClientTest, WrongOptionsAreRefusedBeforeAnythingIsOpened) {
  EXPECT_EQ(ReasonOf(SchemaRegistryClient::Connect({.registry = "nowhere"}).status()), "CONFIG");
  EXPECT_EQ(
      ReasonOf(SchemaRegistryClient::Connect({}, {.progress_interval = milliseconds(5)}).status()),
      "CONFIG");
}

TEST(RegistryClientTest, AClosedClientGoesOnAnsweringWhatItHoldsAndRefusesTheRest) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = Connected();
  ASSERT_TRUE(client->Latest(subject).ok());
  client->Close();
  client->Close();
  EXPECT_TRUE(client->Latest(subject).ok());
  EXPECT_EQ(ReasonOf(client->Latest("another").status()), "CLOSED");
  EXPECT_EQ(ReasonOf(client->OnSchemaChange({}, [](const SchemaChange&) {}).status()), "CLOSED");
  EXPECT_EQ(ReasonOf(client->OpenWatch().status()), "CLOSED");
}

TEST(TlsRegistryClientTest, SpeaksToARegistryThatWantsCertificatesAndSaysWhyItCannot) {
  const std::string subject = testing::FreshSubject();
  const auto client = Connected(testing::WithTls());
  EXPECT_EQ(ReasonOf(client->Latest(subject).status()), "SUBJECT_NOT_FOUND");
  ConnectionOptions plain = testing::ToServers();
  plain.call_attempts = 1;
  const auto refused = SchemaRegistryClient::Connect(plain).ValueOrDie();
  const arrow::Status status = refused->Latest(subject).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kUnavailable);
  EXPECT_TRUE(refused->cache_statistics().stale_since_ns);
}

}  // namespace
}  // namespace tickmesh
