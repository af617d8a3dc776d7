#include "tickmesh/version.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tickmesh {
namespace {

TEST(VersionTest, IsTheOneOfThePythonDistribution) {
  std::ifstream file(TICKMESH_REPOSITORY "/pyproject.toml");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("version = ")) {
  }
  EXPECT_EQ(line, "version = \"" + std::string(Version::OfLibrary().text) + "\"");
}

TEST(VersionTest, NumbersAndTextAgree) {
  const Version& version = Version::OfLibrary();
  EXPECT_THAT(std::string(version.text),
              ::testing::StartsWith(std::to_string(version.major_number) + "." +
                                    std::to_string(version.minor_number) + "." +
                                    std::to_string(version.patch_number)));
}

}  // namespace
}  // namespace tickmesh
