#include "ticks/read_command.h"

#include <chrono>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/any.pb.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

namespace wire = api::tickstore::v1;

using ::testing::ElementsAre;

TEST(ReadCommandTest, CarriesEveryOption) {
  const auto made = MakeReadCommand({.dataset = "ticks.trades",
                                     .start_ns = 0,
                                     .end_ns = 10,
                                     .symbols = {"AAPL", "IBM"},
                                     .columns = {"ts"},
                                     .limit = 7,
                                     .order = ReadOrder::kTime,
                                     .as_of_revision = 3,
                                     .version = 4,
                                     .generation = 2,
                                     .stamps = true});
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  EXPECT_EQ(made->dataset(), "ticks.trades");
  EXPECT_TRUE(made->has_start_ns());
  EXPECT_EQ(made->start_ns(), 0);
  EXPECT_EQ(made->end_ns(), 10);
  EXPECT_THAT(made->symbols(), ElementsAre("AAPL", "IBM"));
  EXPECT_THAT(made->columns(), ElementsAre("ts"));
  EXPECT_EQ(made->limit(), 7);
  EXPECT_EQ(made->order(), wire::READ_ORDER_TIME);
  EXPECT_EQ(made->as_of_revision(), 3);
  EXPECT_EQ(made->reader_version(), 4);
  EXPECT_EQ(made->generation(), 2);
  EXPECT_TRUE(made->stamps());
  EXPECT_FALSE(made->follow());
}

TEST(ReadCommandTest, ARangeNotGivenIsNotSent) {
  const auto made = MakeReadCommand({.dataset = "ticks.trades", .snapshot = "noon"});
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made->has_start_ns());
  EXPECT_FALSE(made->has_end_ns());
  EXPECT_EQ(made->order(), wire::READ_ORDER_ARRIVAL);
  EXPECT_EQ(made->snapshot(), "noon");
}

TEST(ReadCommandTest, WhatContradictsItselfOrIsOutOfBoundsIsRefusedNamingTheOption) {
  const std::pair<ReadOptions, std::string> refused[] = {
      {{.start_ns = 2, .end_ns = 1}, "start_ns"},
      {{.as_of_revision = 3, .snapshot = "noon"}, "snapshot"},
      {{.symbols = {""}}, "symbols"},
      {{.columns = {"ts", ""}}, "columns"},
      {{.limit = -1}, "limit"},
      {{.as_of_revision = -1}, "as_of_revision"},
      {{.version = -1}, "version"},
      {{.generation = -1}, "generation"},
      {{.parallelism = 0}, "parallelism"},
      {{.parallelism = 17}, "parallelism"},
      {{.timeout = std::chrono::milliseconds(0)}, "timeout"},
  };
  for (const auto& [options, field] : refused) {
    const auto made = MakeReadCommand(options);
    const ErrorDetails* details = GetErrorDetails(made.status());
    ASSERT_NE(details, nullptr) << field;
    EXPECT_EQ(details->code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(details->reason, "INVALID_ARGUMENT");
    ASSERT_EQ(details->violations.size(), 1u);
    EXPECT_EQ(details->violations[0].field, field);
  }
}

TEST(ReadCommandTest, ATailFollowsFromItsPosition) {
  const auto made = MakeTailCommand({.dataset = "ticks.trades",
                                     .after = "position",
                                     .symbols = {"AAPL"},
                                     .columns = {"ts"},
                                     .version = 3});
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->follow());
  EXPECT_EQ(made->resume_token(), "position");
  EXPECT_THAT(made->symbols(), ElementsAre("AAPL"));
  EXPECT_THAT(made->columns(), ElementsAre("ts"));
  EXPECT_EQ(made->reader_version(), 3);
  EXPECT_EQ(ReasonOf(MakeTailCommand({.silence_limit = std::chrono::milliseconds(-1)}).status()),
            "INVALID_ARGUMENT");
}

TEST(ReadCommandTest, ADescriptorHoldsTheCommandAsAny) {
  const auto made = MakeReadCommand({.dataset = "ticks.trades"});
  const auto descriptor = CommandDescriptor(*made);
  EXPECT_EQ(descriptor.type, arrow::flight::FlightDescriptor::CMD);
  google::protobuf::Any any;
  ASSERT_TRUE(any.ParseFromString(descriptor.cmd));
  EXPECT_EQ(any.type_url(), "type.googleapis.com/tickmesh.api.tickstore.v1.ReadCommand");
  wire::ReadCommand unpacked;
  ASSERT_TRUE(any.UnpackTo(&unpacked));
  EXPECT_EQ(unpacked.dataset(), "ticks.trades");
}

}  // namespace
}  // namespace tickmesh::internal
