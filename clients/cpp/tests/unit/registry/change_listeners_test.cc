#include "registry/change_listeners.h"

#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tickmesh::internal {
namespace {

SchemaChange Change(const std::string& subject, ChangeAction action = ChangeAction::kCompatible) {
  return {.action = action, .subject = subject};
}

TEST(ChangeListenersTest, TellsOnlyOfWhatIsAskedFor) {
  ChangeListeners listeners;
  std::vector<std::string> heard;
  const Subscription subscription(listeners.Add(
      {.subject_prefix = "ticks.", .actions = {ChangeAction::kBreaking, ChangeAction::kRejected}},
      [&](const SchemaChange& change) { heard.push_back(change.subject); }));
  listeners.Deliver(Change("ticks.a"));
  listeners.Deliver(Change("ticks.b", ChangeAction::kBreaking));
  listeners.Deliver(Change("news.c", ChangeAction::kBreaking));
  listeners.Deliver(Change("ticks.d", ChangeAction::kRejected));
  EXPECT_THAT(heard, ::testing::ElementsAre("ticks.b", "ticks.d"));
}

TEST(ChangeListenersTest, ACallbackMayEndItsOwnSubscriptionAndAnother) {
  ChangeListeners listeners;
  int calls = 0;
  std::optional<Subscription> own;
  std::optional<Subscription> other;
  own.emplace(listeners.Add({}, [&](const SchemaChange&) {
    ++calls;
    other.reset();
    own.reset();
  }));
  other.emplace(listeners.Add({}, [&](const SchemaChange&) { ++calls; }));
  listeners.Deliver(Change("s"));
  listeners.Deliver(Change("s"));
  EXPECT_EQ(calls, 1);
}

TEST(ChangeListenersTest, OnceASubscriptionIsGoneItsCallbackDoesNotRun) {
  ChangeListeners listeners;
  std::promise<void> entered;
  std::promise<void> leave;
  bool left = false;
  std::optional<Subscription> subscription(Subscription(listeners.Add({}, [&](const SchemaChange&) {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  })));
  std::thread delivering([&] { listeners.Deliver(Change("s")); });
  entered.get_future().wait();
  std::thread releasing([&] { leave.set_value(); });
  subscription.reset();
  EXPECT_TRUE(left);
  delivering.join();
  releasing.join();
  listeners.Deliver(Change("s"));  // a second call of the promise would throw
}

TEST(ChangeListenersTest, WhatACallbackHoldsIsLetGoWithItsSubscription) {
  ChangeListeners listeners;
  auto held = std::make_shared<int>(1);
  Subscription subscription(listeners.Add({}, [held](const SchemaChange&) {}));
  EXPECT_EQ(held.use_count(), 2);
  subscription.Cancel();
  EXPECT_EQ(held.use_count(), 1);
  subscription.Cancel();
}

TEST(ChangeListenersTest, NoCallbackBeginsAfterOneThatCloses) {
  ChangeListeners listeners;
  int calls = 0;
  const Subscription one(listeners.Add({}, [&](const SchemaChange&) {
    ++calls;
    listeners.Close();
  }));
  const Subscription two(listeners.Add({}, [&](const SchemaChange&) { ++calls; }));
  listeners.Deliver(Change("s"));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace tickmesh::internal
