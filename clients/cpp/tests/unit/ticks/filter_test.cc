#include "tickmesh/filter.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "tickmesh/status.h"
#include "ticks/filter_node.h"
#include "ticks/read_command.h"

namespace tickmesh {
namespace {

namespace wire = api::tickstore::v1;

wire::Expression MessageOf(const Filter& filter) {
  const auto message = internal::FilterMessage(filter);
  EXPECT_TRUE(message.ok()) << message.status().ToString();
  return message.ok() ? *message : wire::Expression();
}

wire::Value ValueOf(const ColumnValue& value) {
  return MessageOf(Col("c") == value).comparison().value();
}

TEST(FilterTest, AValueIsCarriedExactly) {
  EXPECT_EQ(ValueOf(-5).integer(), -5);
  EXPECT_EQ(ValueOf(7u).integer(), 7);
  EXPECT_EQ(ValueOf(std::numeric_limits<std::uint64_t>::max()).unsigned_integer(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(ValueOf(0.1).number(), 0.1);
  EXPECT_EQ(ValueOf(true).kind_case(), wire::Value::kTruth);
  EXPECT_EQ(ValueOf("AAPL").text(), "AAPL");
  EXPECT_EQ(ValueOf(std::string("IBM")).text(), "IBM");
  EXPECT_EQ(ValueOf(Instant{17}).instant_ns(), 17);
}

TEST(FilterTest, EachComparisonIsItsOperator) {
  const Column price = Col("price");
  const std::pair<Filter, wire::ComparisonOperator> comparisons[] = {
      {price == 1, wire::COMPARISON_OPERATOR_EQUAL},
      {price != 1, wire::COMPARISON_OPERATOR_NOT_EQUAL},
      {price < 1, wire::COMPARISON_OPERATOR_LESS},
      {price <= 1, wire::COMPARISON_OPERATOR_LESS_OR_EQUAL},
      {price > 1, wire::COMPARISON_OPERATOR_GREATER},
      {price >= 1, wire::COMPARISON_OPERATOR_GREATER_OR_EQUAL},
  };
  for (const auto& [filter, how] : comparisons) {
    const auto message = MessageOf(filter);
    EXPECT_EQ(message.comparison().column(), "price");
    EXPECT_EQ(message.comparison().operator_(), how);
  }
}

TEST(FilterTest, ConditionsOfOneKindStandSideBySide) {
  const auto all = MessageOf(Col("a") > 1 && Col("b") > 2 && Col("c") > 3);
  EXPECT_EQ(all.all_of().operands_size(), 3);
  const auto any = MessageOf(Col("a") > 1 || (Col("b") > 2 && !Col("c").IsNull()));
  ASSERT_EQ(any.any_of().operands_size(), 2);
  const auto& both = any.any_of().operands(1).all_of();
  ASSERT_EQ(both.operands_size(), 2);
  EXPECT_EQ(both.operands(1).negation().is_null().column(), "c");
  EXPECT_EQ(MessageOf(Col("a").Between(1, 2)).all_of().operands_size(), 2);
  EXPECT_EQ(MessageOf(Col("a").IsIn({"x", "y"})).membership().values_size(), 2);
}

TEST(FilterTest, EveryRowIsTheDefault) {
  EXPECT_EQ(Filter().node(), nullptr);
  EXPECT_TRUE(MessageOf(Filter() && Col("a") == 1).has_comparison());
  EXPECT_EQ((Filter() || Col("a") == 1).node(), nullptr);
  EXPECT_FALSE(internal::MakeReadCommand({.dataset = "ticks.trades"})->has_filter());
  EXPECT_TRUE(internal::MakeReadCommand({.dataset = "ticks.trades", .where = Col("a") == 1})
                  ->filter()
                  .has_comparison());
  EXPECT_TRUE(internal::MakeTailCommand({.dataset = "ticks.trades", .where = Col("a") == 1})
                  ->filter()
                  .has_comparison());
}

TEST(FilterTest, WhatNoRowCanMeetIsRefused) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Filter& filter :
       {Col("a") == nan, Col("a").IsIn({1.0, nan}), !(Col("a") > 1 && Col("") == 1), !Filter()}) {
    const auto made = internal::MakeReadCommand({.dataset = "ticks.trades", .where = filter});
    ASSERT_NE(GetErrorDetails(made.status()), nullptr);
    EXPECT_EQ(GetErrorDetails(made.status())->violations.at(0).field, "where");
  }
}

}  // namespace
}  // namespace tickmesh
