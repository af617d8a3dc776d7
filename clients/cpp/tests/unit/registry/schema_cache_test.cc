#include "registry/schema_cache.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/registry/wire_messages.h"

namespace tickmesh::internal {
namespace {

constexpr const char* kSubject = "ticks.trades";

std::shared_ptr<const Timeline> Loaded(SchemaCache* cache, std::vector<SchemaPointer> versions,
                                       std::int64_t revision,
                                       const std::string& subject = kSubject) {
  return SchemaCache::Load(cache, subject).Finish(std::move(versions), revision);
}

TEST(SchemaCacheTest, W7AnEventThatArrivesDuringALoadIsNotLost) {
  SchemaCache cache({});
  SchemaCache::Load load(&cache, kSubject);
  cache.Apply(Registered(2, 11));
  EXPECT_EQ(load.Finish({Held(Trades(1))}, 10)->Latest()->version, 2);
}

TEST(SchemaCacheTest, TwoLoadsAtATimeBothTakeTheEventBetweenThem) {
  SchemaCache cache({});
  SchemaCache::Load one(&cache, kSubject);
  SchemaCache::Load other(&cache, kSubject);
  cache.Apply(Registered(2, 11));
  one.Finish({Held(Trades(1))}, 10);
  EXPECT_EQ(other.Finish({Held(Trades(1))}, 10)->Latest()->version, 2);
  EXPECT_EQ(cache.TimelineOf(kSubject)->Latest()->version, 2);
}

TEST(SchemaCacheTest, AnEventTheLoadAlreadyReflectsIsNotAppliedAgain) {
  SchemaCache cache({});
  RegisteredSchema deleted = Trades(1);
  deleted.state = VersionState::kDeleted;
  Loaded(&cache, {Held(deleted)}, 10);
  cache.Apply(Registered(1, 10));
  EXPECT_EQ(cache.TimelineOf(kSubject)->Version(1)->state, VersionState::kDeleted);
}

TEST(SchemaCacheTest, AnAnswerOfAReplicaThatLagsBehindTheWatchIsNotHeld) {
  SchemaCache cache({});
  cache.Followed(20);
  SchemaCache::Load load(&cache, kSubject);
  EXPECT_EQ(load.Finish({Held(Trades(1))}, 19), nullptr);
  EXPECT_NE(load.Finish({Held(Trades(1))}, 20), nullptr);
}

TEST(SchemaCacheTest, ALoadThatBeganBeforeFollowingBeganAnewIsNotHeld) {
  SchemaCache cache({});
  SchemaCache::Load load(&cache, kSubject);
  cache.Restart(5, true);
  EXPECT_EQ(load.Finish({Held(Trades(1))}, 30), nullptr) << "it may be of another store";
}

TEST(SchemaCacheTest, FollowingThatBeginsNamesTheSubjectsThatMayHaveMissedSomething) {
  SchemaCache cache({});
  Loaded(&cache, {Held(Trades(1))}, 10, "old");
  Loaded(&cache, {Held(Trades(1))}, 20, "new");
  EXPECT_THAT(cache.Restart(15, false), ::testing::ElementsAre("old"));
  EXPECT_THAT(cache.Restart(15, true), ::testing::ElementsAre("old", "new"));
}

TEST(SchemaCacheTest, AVersionThatWasAnsweredIsHeldByIdAndFingerprintAndCounted) {
  SchemaCache cache({});
  EXPECT_EQ(cache.ById(1), nullptr);
  const SchemaPointer schema = Held(Trades(1));
  cache.Add(schema, 3);
  EXPECT_EQ(cache.ById(1), schema);
  EXPECT_EQ(cache.ByFingerprint(schema->fingerprint), schema);
  EXPECT_EQ(cache.Version(kSubject, 1), schema);
  EXPECT_FALSE(
      cache.Lookup(kSubject, [](const Timeline& timeline) { return timeline.Latest(); }).held);
  CacheStatistics statistics;
  cache.Count(&statistics);
  EXPECT_EQ(statistics.hits, 2);
  EXPECT_EQ(statistics.misses, 2);
  EXPECT_EQ(statistics.subjects, 0);
}

TEST(SchemaCacheTest, AnIdOfATombstoneIsTakenOverByAVersionWithAText) {
  SchemaCache cache({});
  RegisteredSchema removed = Trades(1);
  removed.state = VersionState::kRemoved;
  cache.Add(Held(removed), 3);
  RegisteredSchema same = Trades(1);
  same.subject = "other";
  cache.Add(Held(same), 4);
  EXPECT_EQ(cache.ById(1)->subject, "other");
}

TEST(SchemaCacheTest, HoldsAtMostAsManySubjectsAndVersionsAsItMay) {
  SchemaCache cache({.max_subjects = 2, .max_versions = 3});
  for (int number = 1; number <= 5; ++number) {
    Loaded(&cache, {Held(Trades(number))}, 10, "subject " + std::to_string(number));
  }
  CacheStatistics statistics;
  cache.Count(&statistics);
  EXPECT_EQ(statistics.subjects, 2);
  EXPECT_EQ(cache.TimelineOf("subject 3"), nullptr);
  EXPECT_NE(cache.TimelineOf("subject 4"), nullptr);
  EXPECT_EQ(cache.ById(2), nullptr);
  EXPECT_NE(cache.ById(3), nullptr);
}

TEST(SchemaCacheTest, ADroppedSubjectIsAMissAndMayComeBack) {
  SchemaCache cache({});
  Loaded(&cache, {Held(Trades(1))}, 10);
  cache.Drop(kSubject);
  EXPECT_EQ(cache.TimelineOf(kSubject), nullptr);
  EXPECT_NE(Loaded(&cache, {Held(Trades(1))}, 11), nullptr);
}

TEST(SchemaCacheTest, ReadersNeverSeeARevisionGoBackWhileAWriterAppliesChanges) {
  SchemaCache cache({});
  Loaded(&cache, {Held(Trades(1))}, 1);
  constexpr int kVersions = 200;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&cache] {
      int last = 0;
      while (last < kVersions) {
        const auto found =
            cache.Lookup(kSubject, [](const Timeline& timeline) { return timeline.Latest(); });
        ASSERT_GE(found.schema->version, last);
        last = found.schema->version;
      }
    });
  }
  for (int version = 2; version <= kVersions; ++version) {
    cache.Apply(Registered(version, version));
  }
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace tickmesh::internal
