#include "registry/timeline.h"

#include "gtest/gtest.h"
#include "tests/unit/registry/wire_messages.h"

namespace tickmesh::internal {
namespace {

TEST(TimelineTest, InForceIsTheGreatestEffectiveFromThenVersionNotAfterTheInstant) {
  const SchemaPointer first = Held(Trades(1));
  const SchemaPointer second = Held(Trades(2, 2 * kHourNs));
  const SchemaPointer third = Held(Trades(3, 2 * kHourNs));
  const Timeline timeline("ticks.trades", {third, first, second}, 3);
  EXPECT_EQ(timeline.InForce(kHourNs), first);
  EXPECT_EQ(timeline.InForce(2 * kHourNs), third);
  EXPECT_EQ(timeline.InForce(kHourNs, kHourNs), first);
  EXPECT_EQ(timeline.InForce(2 * kHourNs, kHourNs), third);
  EXPECT_EQ(timeline.InForce(-1), nullptr);
}

TEST(TimelineTest, InForceAsKnownAtNeverSeesAVersionRegisteredLater) {
  const SchemaPointer first = Held(Trades(1));
  const SchemaPointer backdated = Held(Trades(2, kHourNs, 5 * kHourNs));
  const Timeline timeline("ticks.trades", {first, backdated}, 2);
  EXPECT_EQ(timeline.InForce(2 * kHourNs, 2 * kHourNs), first);
  EXPECT_EQ(timeline.InForce(2 * kHourNs, 5 * kHourNs), backdated);
}

TEST(TimelineTest, ADeletedVersionIsNeitherLatestNorInForceButCanBeHad) {
  RegisteredSchema deleted = Trades(2);
  deleted.state = VersionState::kDeleted;
  const Timeline timeline("ticks.trades", {Held(Trades(1)), Held(deleted)}, 3);
  EXPECT_EQ(timeline.Latest()->version, 1);
  EXPECT_EQ(timeline.InForce(kHourNs)->version, 1);
  EXPECT_EQ(timeline.Version(2)->state, VersionState::kDeleted);
}

TEST(TimelineTest, VersionsAreFoundByNumberAlsoWhereNumbersAreMissing) {
  const Timeline timeline("ticks.trades", {Held(Trades(7)), Held(Trades(2)), Held(Trades(4))}, 7);
  EXPECT_EQ(timeline.Version(4)->version, 4);
  EXPECT_EQ(timeline.Version(7)->version, 7);
  for (const int missing : {-1, 0, 1, 3, 5, 8, 2147483647}) {
    EXPECT_EQ(timeline.Version(missing), nullptr) << missing;
  }
}

TEST(TimelineTest, ALaterNewsOfAVersionIsTakenAndAnEarlierOneIsNot) {
  const Timeline timeline("ticks.trades", {Held(Trades(1))}, 10);
  RegisteredSchema deprecated = Trades(1);
  deprecated.state = VersionState::kDeprecated;
  EXPECT_EQ(timeline.With(Held(deprecated), 10), nullptr);
  const auto later = timeline.With(Held(deprecated), 12);
  ASSERT_NE(later, nullptr);
  EXPECT_EQ(later->Version(1)->state, VersionState::kDeprecated);
  EXPECT_EQ(later->With(Held(Trades(1)), 11), nullptr);
  EXPECT_EQ(timeline.Version(1)->state, VersionState::kActive) << "a timeline never changes";
}

TEST(TimelineTest, AVersionTheWatchIsYetToTellOfIsTakenAfterALaterOne) {
  const Timeline timeline("ticks.trades", {Held(Trades(1))}, 10);
  const auto third = timeline.With(Held(Trades(3)), 12);
  ASSERT_NE(third, nullptr);
  const auto all = third->With(Held(Trades(2)), 11);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->versions().size(), 3u);
  EXPECT_EQ(all->Latest()->version, 3);
}

}  // namespace
}  // namespace tickmesh::internal
