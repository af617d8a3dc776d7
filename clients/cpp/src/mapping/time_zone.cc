#include "mapping/time_zone.h"

#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace tickmesh::internal {

namespace {

constexpr const char* kFolders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo",
                                    "/usr/share/lib/zoneinfo", "/etc/zoneinfo"};

bool IsZoneFile(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  file.read(magic, sizeof magic);
  return file && std::string_view(magic, sizeof magic) == "TZif";
}

}  // namespace

bool IsTimeZone(const std::string& name) {
  // Written in one way only: neither `A//B`, nor `A/`.
  if (name.empty() || name.starts_with('/') || name.ends_with('/') ||
      name.find("//") != std::string::npos || name.find('.') != std::string::npos) {
    return false;
  }
  if (name == "UTC") return true;
  bool has_database = false;
  for (const char* folder : kFolders) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) continue;
    has_database = true;
    if (IsZoneFile(std::filesystem::path(folder) / name)) return true;
  }
  return !has_database;
}

}  // namespace tickmesh::internal
