#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/buffer.h"
#include "arrow/ipc/writer.h"
#include "arrow/type.h"
#include "arrow/util/base64.h"
#include "gtest/gtest.h"
#include "tests/unit/mapping/projection_vectors.h"
#include "tickmesh/arrow_schema.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

constexpr int kTexts = 4000;

/// What breaks texts of JSON Schema in ways of its own.
constexpr std::string_view kPieces[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\",
                                        "\\u",
                                        "null",
                                        "true",
                                        "false",
                                        "-1",
                                        "1e999",
                                        "1e1001",
                                        "0.5",
                                        "\"\"",
                                        "[]",
                                        "{}",
                                        "\"$ref\"",
                                        "\"#\"",
                                        "\"#/$defs/d0\"",
                                        "\"type\"",
                                        "\"object\"",
                                        "\"array\"",
                                        "\"items\"",
                                        "\"properties\"",
                                        "\"patternProperties\"",
                                        "\"arrow\"",
                                        "\"allOf\"",
                                        "\"$id\"",
                                        "\"anyOf\"",
                                        "\"if\"",
                                        "\"required\"",
                                        "\"enum\"",
                                        "\"dependentSchemas\"",
                                        "\xff",
                                        "\xed\xa0\x80",
                                        "é",
                                        "(",
                                        "*",
                                        "%zz",
                                        "//[",
                                        "\"http://json-schema.org/draft-07/schema#\""};

/// Breaks texts: cuts, doubles, joins and replaces pieces of them.
class Breaker {
 public:
  explicit Breaker(std::uint32_t seed) : random_(seed) {}

  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound == 0 ? 0 : bound - 1)(random_);
  }

  std::string Broken(std::string text, const std::string& other) {
    for (std::size_t edits = 1 + Below(4); edits > 0; --edits) {
      const std::size_t place = Below(text.size() + 1);
      const std::size_t length = Below(std::min<std::size_t>(text.size() - place, 40) + 1);
      switch (Below(6)) {
        case 0:
          text.erase(place, length);
          break;
        case 1:
          text.insert(place, text.substr(place, length));
          break;
        case 2:
          text.replace(place, length, kPieces[Below(std::size(kPieces))]);
          break;
        case 3:
          text.insert(place, kPieces[Below(std::size(kPieces))]);
          break;
        case 4:
          text.replace(place, length, other.substr(Below(other.size()), Below(60)));
          break;
        default:
          if (place < text.size()) text[place] = static_cast<char>(Below(256));
      }
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

/// TICKMESH_TEST_SEED replays a run.
std::uint32_t FreshSeed() {
  const char* given = std::getenv("TICKMESH_TEST_SEED");
  return given == nullptr ? std::random_device()() : static_cast<std::uint32_t>(std::stoul(given));
}

class MappingFuzzTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    // Whatever ends the program, the seed is known.
    printf("TICKMESH_TEST_SEED=%u\n", GetParam());
    fflush(stdout);
  }
};

TEST_P(MappingFuzzTest, BrokenTextsAreMappedOrRefusedWithAReasonAndAPlace) {
  const auto& vectors = testing::ProjectionVectors();
  Breaker breaker(GetParam());
  int mapped = 0;
  int refused = 0;
  // How many are mapped is chance: it goes on until there were enough of them.
  for (int each = 0; each < kTexts || (mapped <= kTexts / 50 && each < 10 * kTexts); ++each) {
    const auto& vector = vectors[breaker.Below(vectors.size())];
    const auto other = vectors[breaker.Below(vectors.size())].at("schema").get<std::string>();
    const std::string text = breaker.Broken(vector.at("schema").get<std::string>(), other);
    ArrowSchemaOptions options = testing::OptionsOf(vector);
    for (ReferencedSchema& reference : options.references) {
      if (breaker.Below(2) == 0) reference.text = breaker.Broken(reference.text, other);
    }
    const auto schema = MakeArrowSchema(text, options);
    if (schema.ok()) {
      ++mapped;
      // What comes out is a schema that can be sent and read.
      const auto message = arrow::ipc::SerializeSchema(**schema);
      ASSERT_TRUE(message.ok()) << message.status() << "\n" << text;
      const auto read = SchemaFromIpc((*message)->ToString());
      ASSERT_TRUE(read.ok() && (*read)->Equals(**schema, true)) << read.status() << "\n" << text;
      continue;
    }
    ++refused;
    const ErrorDetails* details = GetErrorDetails(schema.status());
    ASSERT_NE(details, nullptr) << schema.status() << "\n" << text;
    ASSERT_FALSE(details->reason.empty()) << text;
    if (details->reason == "UNSUPPORTED_PATTERN") continue;
    ASSERT_EQ(details->code, ErrorCode::kInvalidArgument) << schema.status() << "\n" << text;
    ASSERT_TRUE(details->metadata.contains("pointer")) << text;
  }
  EXPECT_GT(mapped, kTexts / 50) << "what is broken too far tests the reader alone";
  EXPECT_GT(refused, kTexts / 10);
}

TEST_P(MappingFuzzTest, BrokenBytesAreReadOrRefused) {
  const auto& vectors = testing::ProjectionVectors();
  Breaker breaker(GetParam());
  for (int each = 0; each < kTexts; ++each) {
    const auto& vector = vectors[breaker.Below(vectors.size())];
    if (!vector.contains("ipc")) continue;
    const auto bytes = arrow::util::base64_decode(vector["ipc"].get<std::string>()).ValueOrDie();
    const auto schema = SchemaFromIpc(breaker.Broken(bytes, bytes));
    if (schema.ok()) continue;
    ASSERT_EQ(ReasonOf(schema.status()), "INVALID_ARROW_SCHEMA");
  }
}

INSTANTIATE_TEST_SUITE_P(Fixed, MappingFuzzTest, ::testing::Values(1U, 2U, 3U));
INSTANTIATE_TEST_SUITE_P(Fresh, MappingFuzzTest, ::testing::Values(FreshSeed()),
                         [](const auto& /*info*/) { return std::string("Seed"); });

}  // namespace
}  // namespace tickmesh
