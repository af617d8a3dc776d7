#include "tickmesh/arrow_schema.h"

#include <string>
#include <thread>
#include <vector>

#include "arrow/buffer.h"
#include "arrow/ipc/writer.h"
#include "arrow/type.h"
#include "arrow/util/key_value_metadata.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

constexpr const char* kTrade =
    R"({"type":"object","properties":{"ts":{"type":"string","format":"date-time"},"price":)"
    R"({"type":"number"}},"required":["ts"]})";

std::string PointerOf(const arrow::Status& status) {
  const ErrorDetails* details = GetErrorDetails(status);
  return details == nullptr ? "none" : details->metadata.at("pointer");
}

TEST(MakeArrowSchemaTest, NumbersFieldsFromOneAndNamesNeitherSubjectNorVersionUnasked) {
  const auto schema = MakeArrowSchema(kTrade);
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_FALSE((*schema)->HasMetadata());
  EXPECT_EQ(*(*schema)->field(0)->metadata()->Get("tickmesh.field_id"), "1");
  EXPECT_EQ(*(*schema)->field(1)->metadata()->Get("tickmesh.field_id"), "2");
}

TEST(MakeArrowSchemaTest, FieldIdsThatCannotGrowAreRefused) {
  const auto schema = MakeArrowSchema(kTrade, {.field_ids = {{"gone", INT64_MAX}}});
  EXPECT_EQ(ReasonOf(schema.status()), "FIELD_IDS_SPENT");
}

TEST(MakeArrowSchemaTest, ReferencedSchemasReferToOthersByNamesOfTheirOwn) {
  const ArrowSchemaOptions options{
      .references = {{.name = "level",
                      .text = R"({"properties":{"p":{"$ref":"price"}}})",
                      .references = {{.name = "price", .text = R"({"arrow":"float32"})"}}}}};
  const auto schema =
      MakeArrowSchema(R"({"properties":{"best":{"$ref":"level","type":"object"}}})", options);
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_EQ((*schema)->field(0)->type()->field(0)->type()->id(), arrow::Type::FLOAT);
  const auto unknown = MakeArrowSchema(R"({"properties":{"p":{"$ref":"price"}}})", options);
  EXPECT_EQ(ReasonOf(unknown.status()), "REFERENCE_NOT_FOUND");
  EXPECT_EQ(PointerOf(unknown.status()), "/properties/p/$ref");
}

TEST(MakeArrowSchemaTest, WhatIsWrongInAReferencedSchemaIsToldWithItsName) {
  const ArrowSchemaOptions options{
      .references = {{.name = "price", .text = R"({"type":"money"})"}}};
  const auto schema = MakeArrowSchema("{}", options);
  const ErrorDetails* details = GetErrorDetails(schema.status());
  ASSERT_NE(details, nullptr);
  EXPECT_EQ(details->reason, "INVALID_SCHEMA");
  EXPECT_EQ(details->metadata.at("pointer"), "/type");
  EXPECT_EQ(details->metadata.at("reference"), "price");
}

TEST(MakeArrowSchemaTest, PatternsDecideWhichSchemasAMemberHas) {
  const auto typed = [](const std::string& pattern, const std::string& name) {
    const auto schema =
        MakeArrowSchema(R"({"properties":{")" + name + R"(":{}},"patternProperties":{")" + pattern +
                        R"(":{"type":"integer"}}})");
    return schema.ok() ? (*schema)->field(0)->type()->ToString()
                       : std::string(ReasonOf(schema.status()));
  };
  EXPECT_EQ(typed("^s", "size"), "int64");
  EXPECT_EQ(typed("^s", "price"), "string");
  EXPECT_EQ(typed("^.$", "é"), "int64") << "a character, not a byte";
  EXPECT_EQ(typed("^\\\\u00e9$", "é"), "int64");
  EXPECT_EQ(typed("^\\\\ud83d\\\\ude00$", "😀"), "int64");
  EXPECT_EQ(typed("a\\\\sb", "a\\u00a0b"), "int64") << "every space of ECMA-262";
  EXPECT_EQ(typed("^(?!id$)", "size"), "UNSUPPORTED_PATTERN");
  EXPECT_EQ(typed("(a*)*$", std::string(200, 'a') + "b"), "int64") << "in linear time";
}

TEST(MakeArrowSchemaTest, KeywordsOfTheOtherDraftMustHoldSchemasToo) {
  const std::string draft = R"({"$schema":"http://json-schema.org/draft-07/schema#",)";
  for (const char* rest : {R"("$defs":5})", R"("$defs":{"a":5}})", R"("prefixItems":{}})",
                           R"("unevaluatedItems":5})", R"("dependentSchemas":5})"}) {
    EXPECT_EQ(ReasonOf(MakeArrowSchema(draft + rest).status()), "INVALID_SCHEMA") << rest;
  }
}

TEST(MakeArrowSchemaTest, AnEndlessAmountOfWorkIsRefused) {
  std::string members;
  std::string names;
  for (int each = 0; each < 4000; ++each) {
    members += std::string(each > 0 ? "," : "") + R"({"additionalProperties":{}})";
    names += std::string(each > 0 ? "," : "") + "\"n" + std::to_string(each) + "\":{}";
  }
  const auto schema =
      MakeArrowSchema(R"({"properties":{)" + names + R"(},"allOf":[)" + members + "]}");
  EXPECT_EQ(ReasonOf(schema.status()), "TOO_MANY_SUBSCHEMAS");
}

TEST(MakeArrowSchemaTest, ARegisteredVersionHasTheProjectionThatCameWithIt) {
  RegisteredSchema version{.subject = "ticks", .version = 3, .arrow_schema = arrow::schema({})};
  EXPECT_EQ(*MakeArrowSchema(version), version.arrow_schema);
  version.arrow_schema = nullptr;
  EXPECT_EQ(ReasonOf(MakeArrowSchema(version).status()), "INVALID_ARROW_SCHEMA");
  version.state = VersionState::kRemoved;
  EXPECT_EQ(ReasonOf(MakeArrowSchema(version).status()), "VERSION_REMOVED");
}

TEST(SchemaFromIpcTest, BytesThatAreNoSchemaAreRefused) {
  const auto schema = MakeArrowSchema(kTrade, {.subject = "ticks", .version = 1}).ValueOrDie();
  const auto message = arrow::ipc::SerializeSchema(*schema).ValueOrDie();
  const std::string bytes = message->ToString();
  ASSERT_TRUE(SchemaFromIpc(bytes).ok());
  for (std::size_t length = 0; length + 8 < bytes.size(); ++length) {
    const auto cut = SchemaFromIpc(std::string_view(bytes).substr(0, length));
    ASSERT_EQ(ReasonOf(cut.status()), "INVALID_ARROW_SCHEMA") << length;
  }
  EXPECT_EQ(ReasonOf(SchemaFromIpc(std::string(64, '\xff')).status()), "INVALID_ARROW_SCHEMA");
}

TEST(ArrowSchemaCacheTest, KeepsWhatItMappedAndNoMoreThanItMay) {
  ArrowSchemaCache cache({.subject = "ticks"}, /*capacity=*/2);
  const auto text = [](int each) {
    return R"({"properties":{"f)" + std::to_string(each) + R"(":{}}})";
  };
  const auto first = *cache.Get(text(1));
  EXPECT_EQ(*cache.Get(text(1)), first) << "the very same";
  EXPECT_EQ(*first->metadata()->Get("tickmesh.subject"), "ticks");
  ASSERT_TRUE(cache.Get(text(2)).ok());
  ASSERT_TRUE(cache.Get(text(3)).ok());
  EXPECT_NE(*cache.Get(text(1)), first) << "the oldest went";
  EXPECT_EQ(ReasonOf(cache.Get("{").status()), "INVALID_JSON");

  ArrowSchemaCache small({}, 100, /*max_bytes=*/10);
  EXPECT_NE(*small.Get(text(1)), *small.Get(text(1))) << "longer than all that may be kept";
}

TEST(ArrowSchemaCacheTest, ThreadsMayAskForTextsThatComeAndGo) {
  ArrowSchemaCache cache({}, /*capacity=*/3);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&cache, thread] {
      for (int each = 0; each < 200; ++each) {
        const std::string name = "f" + std::to_string((each * 7 + thread) % 5);
        const auto schema = cache.Get(R"({"properties":{")" + name + R"(":{}}})");
        ASSERT_TRUE(schema.ok());
        ASSERT_EQ((*schema)->field(0)->name(), name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tickmesh
