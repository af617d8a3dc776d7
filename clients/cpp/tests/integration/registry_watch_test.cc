#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"
#include "tests/support/schema_changes.h"
#include "tickmesh/schema_registry_client.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::kPatience;

std::unique_ptr<SchemaWatch> Opened(const WatchOptions& options,
                                    const ConnectionOptions& connection = testing::ToServers()) {
  // A watch has a connection of its own: the client that opens it may go.
  return SchemaRegistryClient::Connect(connection).ValueOrDie()->OpenWatch(options).ValueOrDie();
}

/// The next message of a kind.
WatchMessage NextOf(SchemaWatch& watch, WatchMessageKind kind) {
  while (true) {
    auto message = watch.Next(kPatience).ValueOrDie();
    if (!message) throw std::runtime_error("no message came");
    if (message->kind == kind) return *std::move(message);
  }
}

TEST(RegistryWatchTest, W7ASnapshotThenEverythingAfterItWithThePreviousVersions) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const auto watch =
      Opened({.subjects = {subject}, .begin = WatchBegin::kSnapshot, .include_previous = true});
  const WatchMessage snapshot = NextOf(*watch, WatchMessageKind::kSnapshot);
  ASSERT_EQ(snapshot.events.size(), 1u);
  EXPECT_EQ(snapshot.events[0].schema->version, 1);
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  const WatchMessage next = NextOf(*watch, WatchMessageKind::kEvents);
  EXPECT_GT(next.revision, snapshot.revision);
  ASSERT_EQ(next.events.size(), 1u);
  EXPECT_EQ(next.events[0].kind, ChangeKind::kVersionRegistered);
  EXPECT_EQ(next.events[0].schema->version, 2);
  EXPECT_EQ(next.events[0].previous->version, 1);
  EXPECT_EQ(next.events[0].actor.principal, "anonymous");
}

TEST(RegistryWatchTest, W5AWatchGoesOnBehindTheTokenOfAnEarlierOne) {
  const std::string subject = testing::FreshSubject();
  testing::RegisterSchema(subject, testing::TradesSchema());
  const std::string token = NextOf(*Opened({.subjects = {subject}, .begin = WatchBegin::kSnapshot}),
                                   WatchMessageKind::kSnapshot)
                                .token;
  testing::RegisterSchema(subject, testing::TradesSchema("fee"));
  const auto watch = Opened({.subjects = {subject}, .after_token = token});
  EXPECT_EQ(NextOf(*watch, WatchMessageKind::kEvents).events.at(0).schema->version, 2);
}

TEST(RegistryWatchTest, W8W9WhatCannotBeFollowedIsToldForGood) {
  const auto future = Opened({.after_revision = 1'000'000'000});
  for (int again = 0; again < 2; ++again) {
    const arrow::Status status = future->Next(kPatience).status();
    EXPECT_EQ(ReasonOf(status), "REVISION_IN_FUTURE");
    EXPECT_TRUE(status.IsIndexError());
    EXPECT_EQ(GetErrorDetails(status)->metadata.at("askedRevision"), "1000000000");
  }
  const std::string token = NextOf(*Opened({}), WatchMessageKind::kProgress).token;
  std::string foreign = token;
  foreign.front() = foreign.front() == 'a' ? 'b' : 'a';
  const arrow::Status status = Opened({.after_token = foreign})->Next(kPatience).status();
  EXPECT_THAT(std::string(ReasonOf(status)), ::testing::AnyOf("EPOCH_CHANGED", "INVALID_ARGUMENT"));
  EXPECT_EQ(ReasonOf(Opened({.after_token = "no token"})->Next(kPatience).status()),
            "INVALID_ARGUMENT");
}

TEST(RegistryWatchTest, NextReturnsNothingWhenItsTimeIsOverAndMissesNothing) {
  const std::string subject = testing::FreshSubject();
  const auto watch = Opened({.subjects = {subject}, .progress_interval = seconds(60)});
  NextOf(*watch, WatchMessageKind::kProgress);
  for (int times = 0; times < 3; ++times) {
    EXPECT_FALSE(watch->Next(milliseconds(5)).ValueOrDie());
  }
  EXPECT_FALSE(watch->Next(milliseconds(0)).ValueOrDie());
  testing::RegisterSchema(subject, testing::TradesSchema());
  EXPECT_EQ(NextOf(*watch, WatchMessageKind::kEvents).events.at(0).schema->version, 1);
}

TEST(RegistryWatchTest, CloseEndsANextThatWaitsForEver) {
  const auto watch = Opened({.subjects = {"nobody"}, .progress_interval = seconds(60)});
  NextOf(*watch, WatchMessageKind::kProgress);
  auto waiting = std::async(std::launch::async, [&] { return watch->Next().status(); });
  watch->Close();
  EXPECT_EQ(ReasonOf(waiting.get()), "CLOSED");
  watch->Close();
  EXPECT_EQ(ReasonOf(watch->Next().status()), "CLOSED");
}

TEST(RegistryWatchTest, CloseEndsAWatchThatWaitsForItsRegistry) {
  testing::Break("registry down");
  const auto watch = Opened({}, testing::ThroughFaultyWires());
  auto waiting = std::async(std::launch::async, [&] { return watch->Next().status(); });
  while (watch->interruptions() < 2) std::this_thread::yield();
  watch->Close();
  EXPECT_EQ(ReasonOf(waiting.get()), "CLOSED");
}

TEST(RegistryWatchTest, InterruptionsAreToldAndResumed) {
  const std::string subject = testing::FreshSubject();
  std::vector<std::string> why;
  const auto watch = Opened({.subjects = {subject},
                             .on_interruption =
                                 [&](const arrow::Status& status) {
                                   why.emplace_back(ErrorCodeName(GetErrorDetails(status)->code));
                                 }},
                            testing::ThroughFaultyWires());
  NextOf(*watch, WatchMessageKind::kProgress);
  testing::Break("registry reset");
  testing::RegisterSchema(subject, testing::TradesSchema());
  EXPECT_EQ(NextOf(*watch, WatchMessageKind::kEvents).events.at(0).schema->version, 1);
  EXPECT_GE(watch->interruptions(), 1);
  EXPECT_THAT(why, ::testing::Contains("UNAVAILABLE"));
}

TEST(RegistryWatchTest, AnIntervalOutOfBoundsIsRefused) {
  const auto client = SchemaRegistryClient::Connect(testing::ToServers()).ValueOrDie();
  EXPECT_EQ(ReasonOf(client->OpenWatch({.progress_interval = seconds(61)}).status()), "CONFIG");
}

}  // namespace
}  // namespace tickmesh
