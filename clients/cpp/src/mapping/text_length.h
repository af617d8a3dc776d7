#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tickmesh::internal {

/// How many characters a text of UTF-8 has.
inline std::size_t CharactersIn(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char sign) {
    return (static_cast<unsigned char>(sign) & 0xC0U) != 0x80U;
  }));
}

}  // namespace tickmesh::internal
