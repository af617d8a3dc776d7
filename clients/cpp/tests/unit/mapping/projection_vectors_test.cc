#include "tests/unit/mapping/projection_vectors.h"

#include <cctype>
#include <string>

#include "gtest/gtest.h"
#include "tickmesh/arrow_schema.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

class ProjectionVectorTest : public ::testing::TestWithParam<nlohmann::json> {};

TEST_P(ProjectionVectorTest, TextMapsToWhatTheRegistryMakesOfIt) {
  const nlohmann::json& vector = GetParam();
  const auto text = vector.at("schema").get<std::string>();
  FieldIds after;
  const auto schema = MakeArrowSchema(text, testing::OptionsOf(vector), &after);
  if (vector.contains("error")) {
    ASSERT_FALSE(schema.ok()) << testing::Shown(**schema);
    const ErrorDetails* details = GetErrorDetails(schema.status());
    ASSERT_NE(details, nullptr) << schema.status();
    EXPECT_EQ(details->code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(details->reason, vector["error"]["reason"].get<std::string>()) << schema.status();
    EXPECT_EQ(details->metadata.at("pointer"), vector["error"]["pointer"].get<std::string>());
    EXPECT_FALSE(schema.status().message().empty());
    return;
  }
  ASSERT_TRUE(schema.ok()) << schema.status();
  const auto bytes = arrow::util::base64_decode(vector.at("ipc").get<std::string>());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto expected = SchemaFromIpc(*bytes);
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_TRUE((*schema)->Equals(**expected, /*check_metadata=*/true))
      << testing::Shown(**schema) << "\nexpected\n"
      << testing::Shown(**expected);
  EXPECT_EQ(after, vector.at("field_ids_after").get<FieldIds>());
}

std::string NameOf(const ::testing::TestParamInfo<nlohmann::json>& vector) {
  std::string name = std::to_string(vector.index) + "_";
  const std::string words = vector.param.at("group").get<std::string>() + " " +
                            vector.param.at("name").get<std::string>();
  for (const char sign : words) {
    if (std::isalnum(static_cast<unsigned char>(sign)) != 0) {
      name += sign;
    } else if (!name.ends_with('_')) {
      name += '_';
    }
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Shared, ProjectionVectorTest,
                         ::testing::ValuesIn(testing::ProjectionVectors()), NameOf);

TEST(ProjectionVectorsTest, AreAllThere) { EXPECT_GT(testing::ProjectionVectors().size(), 200U); }

}  // namespace
}  // namespace tickmesh
