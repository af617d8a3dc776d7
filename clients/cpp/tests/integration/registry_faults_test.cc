#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hostile_peer.h"
#include "tests/support/mesh.h"
#include "tests/support/schema_changes.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ChangesHeard;
using testing::kPatience;

// A stream that says nothing for three of these is left.
const SchemaCacheOptions kQuick{.progress_interval = seconds(1)};
// What a call that is to fail by its deadline may take beyond it.
constexpr seconds kSlack{15};

ErrorCode CodeOf(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  return details == nullptr ? ErrorCode::kUnknown : details->code;
}

ConnectionOptions Through(milliseconds call_timeout = seconds(10)) {
  ConnectionOptions options = testing::ThroughFaultyWires();
  options.call_timeout = call_timeout;
  return options;
}

bool EventuallyFresh(const SchemaRegistryClient& client, bool fresh) {
  const auto until = steady_clock::now() + kPatience;
  while (client.cache_statistics().stale_since_ns.has_value() == fresh) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

/// Registers versions 2 to `last` of a subject, each with one more field.
void RegisterThrough(const std::string& subject, int from, int last) {
  for (int version = from; version <= last; ++version) {
    ASSERT_EQ(
        testing::RegisterSchema(subject, testing::TradesSchema("field_" + std::to_string(version))),
        version);
  }
}

std::vector<int> VersionsOf(const std::vector<SchemaChange>& changes) {
  std::vector<int> versions;
  for (const auto& change : changes) versions.push_back(change.new_schema->version);
  return versions;
}

TEST(RegistryFaultsTest, AClientStartsWithoutItsRegistryAndWorksOnceItIsThere) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  testing::Break("registry down");
  const auto client = SchemaRegistryClient::Connect(Through(seconds(2)), kQuick).ValueOrDie();
  const auto began = steady_clock::now();
  const arrow::Status away = client->Latest(subject).status();
  EXPECT_EQ(CodeOf(away), ErrorCode::kUnavailable) << away.ToString();
  EXPECT_LT(steady_clock::now() - began, seconds(2) + kSlack);
  EXPECT_TRUE(client->cache_statistics().stale_since_ns);
  testing::Break("registry up");
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  EXPECT_EQ(client->Latest(subject).ValueOrDie()->version, 1);
  EXPECT_FALSE(client->cache_statistics().stale_since_ns);
}

TEST(RegistryFaultsTest, WhatIsHeldGoesOnBeingAnsweredWhileTheRegistryIsAwayAndThenCatchesUp) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = SchemaRegistryClient::Connect(Through(seconds(1)), kQuick).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  ASSERT_TRUE(client->Latest(subject).ok());
  testing::Break("registry down");
  ASSERT_TRUE(EventuallyFresh(*client, false));
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  EXPECT_EQ(client->Latest(subject).ValueOrDie()->version, 1);
  EXPECT_EQ(client->InForce(subject).ValueOrDie()->version, 1);
  EXPECT_FALSE(client->Latest("never_seen").ok());
  testing::Break("registry up");
  ASSERT_TRUE(EventuallyFresh(*client, true));
  const auto until = steady_clock::now() + kPatience;
  while (client->Latest(subject).ValueOrDie()->version != 2 && steady_clock::now() < until) {
  }
  EXPECT_EQ(client->Latest(subject).ValueOrDie()->version, 2);
  EXPECT_EQ(client->cache_statistics().reloads, 0) << "the watch resumed without a gap";
}

TEST(RegistryFaultsTest, W2W3ChangesComeInOrderAndOnceWhileConnectionsAreReset) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = SchemaRegistryClient::Connect(Through(), kQuick).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  ChangesHeard heard;
  const Subscription subscription =
      client->OnSchemaChange({.subjects = {subject}}, heard.callback()).ValueOrDie();
  constexpr int kVersions = 16;
  for (int version = 2; version <= kVersions; version += 3) {
    testing::Break("registry reset");
    RegisterThrough(subject, version, std::min(version + 2, kVersions));
  }
  std::vector<int> expected;
  for (int version = 2; version <= kVersions; ++version) expected.push_back(version);
  EXPECT_EQ(VersionsOf(heard.WaitFor(expected.size())), expected);
}

TEST(RegistryFaultsTest, W10AWatchGoesOnWhereItWasWhenTheRegistryWasKilled) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = SchemaRegistryClient::Connect(testing::ToServers(), kQuick).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  ChangesHeard heard;
  const Subscription subscription =
      client->OnSchemaChange({.subjects = {subject}}, heard.callback()).ValueOrDie();
  RegisterThrough(subject, 2, 2);
  testing::Break("registry kill");
  RegisterThrough(subject, 3, 4);
  EXPECT_THAT(VersionsOf(heard.WaitFor(3)), ::testing::ElementsAre(2, 3, 4));
}

TEST(RegistryFaultsTest, W5AConnectionThatIsDeadWithoutSayingSoIsLeft) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto client = SchemaRegistryClient::Connect(Through(), kQuick).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  ChangesHeard heard;
  const Subscription subscription =
      client->OnSchemaChange({.subjects = {subject}}, heard.callback()).ValueOrDie();
  testing::Break("registry cut");
  RegisterThrough(subject, 2, 3);
  EXPECT_THAT(VersionsOf(heard.WaitFor(2)), ::testing::ElementsAre(2, 3));
}

TEST(RegistryFaultsTest, ALookupOfARegistryThatStoppedEndsAtItsDeadline) {
  const auto client = SchemaRegistryClient::Connect(Through(milliseconds(500))).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  testing::Break("registry freeze");
  const auto began = steady_clock::now();
  EXPECT_EQ(CodeOf(client->Latest("frozen").status()), ErrorCode::kDeadlineExceeded);
  EXPECT_LT(steady_clock::now() - began, milliseconds(500) + kSlack);
}

TEST(RegistryFaultsTest, ClosingEndsALookupThatBlocks) {
  const auto client = SchemaRegistryClient::Connect(Through(seconds(60))).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  testing::Break("registry hold");
  auto blocked = std::async(std::launch::async, [&] { return client->Latest("held").status(); });
  auto joined = std::async(std::launch::async, [&] { return client->Latest("held").status(); });
  while (client->cache_statistics().misses < 2) std::this_thread::yield();
  client->Close();
  EXPECT_EQ(ReasonOf(blocked.get()), "CLOSED");
  EXPECT_EQ(ReasonOf(joined.get()), "CLOSED");
}

TEST(RegistryFaultsTest, AClientCanBeDestroyedWhileItConnectsWaitsOrFollows) {
  testing::Break("registry hold");
  for (int trial = 0; trial < 5; ++trial) {
    const auto connecting = SchemaRegistryClient::Connect(Through(), kQuick).ValueOrDie();
    std::this_thread::sleep_for(milliseconds(7 * trial));
  }
  testing::Break("registry down");
  for (int trial = 0; trial < 5; ++trial) {
    const auto waiting = SchemaRegistryClient::Connect(Through(), kQuick).ValueOrDie();
    std::this_thread::sleep_for(milliseconds(30 * trial));
  }
  testing::Break("registry up");
  testing::Break("registry heal");
  for (int trial = 0; trial < 5; ++trial) {
    const auto following = SchemaRegistryClient::Connect(Through(), kQuick).ValueOrDie();
    std::this_thread::sleep_for(milliseconds(20 * trial));
  }
}

TEST(RegistryFaultsTest, ACallbackMayDestroyTheClientAndItsSubscription) {
  const std::string subject = testing::FreshSubject();
  std::promise<void> gone;
  SchemaCacheOptions options = kQuick;
  options.now_ns = [last = std::shared_ptr<void>(nullptr, [&](void*) { gone.set_value(); })] {
    return std::int64_t{0};
  };
  auto client = SchemaRegistryClient::Connect(testing::ToServers(), options).ValueOrDie();
  options.now_ns = {};
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  std::optional<Subscription> subscription;
  subscription.emplace(client
                           ->OnSchemaChange({.subjects = {subject}},
                                            [&](const SchemaChange&) {
                                              client.reset();
                                              subscription.reset();
                                            })
                           .ValueOrDie());
  testing::RegisterSchema(subject, testing::TradesSchema());
  // The client's inside goes with its thread.
  ASSERT_EQ(gone.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(client, nullptr);
}

TEST(RegistryFaultsTest, DestroyingAClientWaitsForTheCallbackInProgress) {
  const std::string subject = testing::FreshSubject();
  auto client = SchemaRegistryClient::Connect(testing::ToServers(), kQuick).ValueOrDie();
  ASSERT_TRUE(client->WaitForRevision(0, kPatience).ok());
  std::promise<void> entered;
  std::atomic<bool> left{false};
  const Subscription subscription =
      client
          ->OnSchemaChange({.subjects = {subject}},
                           [&](const SchemaChange&) {
                             entered.set_value();
                             // The call is cut short: the client is closing.
                             EXPECT_FALSE(client->WaitForRevision(1 << 30, kPatience).ok());
                             left = true;
                           })
          .ValueOrDie();
  testing::RegisterSchema(subject, testing::TradesSchema());
  ASSERT_EQ(entered.get_future().wait_for(kPatience), std::future_status::ready);
  client->Close();
  client.reset();
  EXPECT_TRUE(left);
}

TEST(RegistryFaultsTest, APeerThatAcceptsAndNeverAnswersCostsNoMoreThanTheDeadline) {
  const testing::HostilePeer peer(testing::HostilePeer::Manner::kSilent);
  ConnectionOptions options{.registry = peer.address(), .call_timeout = milliseconds(700)};
  const auto client = SchemaRegistryClient::Connect(options, kQuick).ValueOrDie();
  const auto began = steady_clock::now();
  const arrow::Status status = client->Latest("silent").status();
  EXPECT_THAT(CodeOf(status),
              ::testing::AnyOf(ErrorCode::kDeadlineExceeded, ErrorCode::kUnavailable));
  EXPECT_LT(steady_clock::now() - began, milliseconds(700) + kSlack);
}

TEST(RegistryFaultsTest, APeerThatSpeaksGarbageOrHangsUpIsAStatus) {
  for (const auto manner :
       {testing::HostilePeer::Manner::kGarbage, testing::HostilePeer::Manner::kHangsUp,
        testing::HostilePeer::Manner::kHangsUpAfterSettings}) {
    const testing::HostilePeer peer(manner);
    ConnectionOptions options{.registry = peer.address(), .call_timeout = seconds(2)};
    const auto client = SchemaRegistryClient::Connect(options, kQuick).ValueOrDie();
    const auto began = steady_clock::now();
    const arrow::Status status = client->Latest("nonsense").status();
    EXPECT_THAT(CodeOf(status),
                ::testing::AnyOf(ErrorCode::kDeadlineExceeded, ErrorCode::kUnavailable))
        << status.ToString();
    EXPECT_LT(steady_clock::now() - began, seconds(2) + kSlack);
    EXPECT_TRUE(client->cache_statistics().stale_since_ns);
  }
}

}  // namespace
}  // namespace tickmesh
