#include "mapping/json_reader.h"

#include <string>

#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {
namespace {

arrow::Result<JsonValue> Read(const std::string& text) { return ReadJson(text, 1 << 20, 64); }

std::string Canonical(const std::string& text) {
  const auto value = Read(text);
  return value.ok() ? value->Canonical() : value.status().ToString();
}

TEST(JsonReaderTest, NumbersAreOneValueHoweverTheyAreWritten) {
  for (const char* one : {"1.0", "1e0", "10e-1", "0.1E+1", "100.00e-2"}) {
    EXPECT_EQ(Canonical(one), Canonical("1")) << one;
    EXPECT_TRUE(Read(one)->is_integral()) << one;
  }
  for (const char* zero : {"-0", "0.0", "-0e7", "0e99999999999999999999"}) {
    EXPECT_EQ(Canonical(zero), "0") << zero;
  }
  EXPECT_FALSE(Read("1.5")->is_integral());
  EXPECT_TRUE(Read("-2")->is_negative());
}

TEST(JsonReaderTest, NumbersKeepEveryDigitAndLieBeyondADouble) {
  EXPECT_NE(Canonical("9007199254740993"), Canonical("9007199254740992"));
  EXPECT_NE(Canonical("0.1"), Canonical("0.1000000000000000055511151231257827"));
  EXPECT_TRUE(Read("1e1000")->is_integral());
  EXPECT_EQ(ReasonOf(Read("1e1001").status()), "NUMBER_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(Read("1e-1001").status()), "NUMBER_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(Read("1e99999999999999999999").status()), "NUMBER_OUT_OF_RANGE");
  EXPECT_TRUE(Read(std::string(1000, '9')).ok());
  EXPECT_EQ(ReasonOf(Read(std::string(1001, '9')).status()), "NUMBER_OUT_OF_RANGE");
}

TEST(JsonReaderTest, MembersStandInTheOrderOfTheText) {
  const auto value = Read(R"({"b":1,"a":2,"c":3})");
  ASSERT_TRUE(value.ok());
  std::string order;
  for (const auto& [name, member] : value->members()) order += name;
  EXPECT_EQ(order, "bac");
  EXPECT_EQ(Canonical(R"({"b":1,"a":2})"), Canonical(R"({"a":2,"b":1})"));
}

TEST(JsonReaderTest, ManyMembersAreFoundByName) {
  std::string text = "{";
  for (int each = 0; each < 5000; ++each) text += "\"n" + std::to_string(each) + "\":null,";
  const auto value = Read(text + R"("last":7})");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->Find("last")->text(), "7");
  EXPECT_NE(value->Find("n4999"), nullptr);
  EXPECT_EQ(value->Find("n5000"), nullptr);
}

TEST(JsonReaderTest, EscapesMeanWhatTheyName) {
  EXPECT_EQ(Read(R"("\u0061\n\/\ud83d\ude00é")")->text(), "a\n/😀é");
  EXPECT_EQ(GetErrorDetails(Read(R"({"a":["\ud83d\u0061"]})").status())->metadata.at("pointer"),
            "/a/0");
}

TEST(JsonReaderTest, ARepeatedKeyIsToldAtItsOutermostPlace) {
  const auto value = Read(R"({"x":{"a/b":{"c":1,"c":2},"a/b":3}})");
  const ErrorDetails* details = GetErrorDetails(value.status());
  ASSERT_NE(details, nullptr);
  EXPECT_EQ(details->reason, "DUPLICATE_KEY");
  EXPECT_EQ(details->metadata.at("pointer"), "/x/a~1b");
}

TEST(JsonReaderTest, BracketsInStringsAreNoDepth) {
  EXPECT_TRUE(Read("[\"" + std::string(100, '[') + "\"]").ok());
  EXPECT_TRUE(Read(std::string(64, '[') + std::string(64, ']')).ok());
  EXPECT_EQ(ReasonOf(Read(std::string(65, '[') + std::string(65, ']')).status()), "TOO_DEEP");
}

TEST(JsonReaderTest, TextsBeyondTheBoundAreNotLookedAt) {
  EXPECT_EQ(ReasonOf(Read(std::string((1 << 20) + 1, ' ')).status()), "TOO_LARGE");
}

}  // namespace
}  // namespace tickmesh::internal
