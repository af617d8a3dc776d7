#pragma once

#include <cstddef>

/// \file
/// Bounds on what is taken as a schema: those of the registry.

namespace tickmesh::internal {

/// Longest text, in bytes.
inline constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
/// Deepest nesting of objects and arrays in a text.
inline constexpr int kMaxDepth = 64;
/// Most subschemas that following every `$ref` may unfold to.
inline constexpr std::size_t kMaxExpansions = 100'000;
/// Deepest nesting of references.
inline constexpr int kDeepestExpansion = 400;
/// Most pinned schemas, those that pinned ones pin included.
inline constexpr std::size_t kMaxPinned = 256;
/// Most schema objects in a text.
inline constexpr std::size_t kMaxSubschemas = 10'000;
/// Most subschemas looked at for all places of a row together; a bound of this library alone, for
/// texts made to be slow.
inline constexpr std::size_t kMaxWork = 2'000'000;
/// Longest regular expression, in characters.
inline constexpr std::size_t kMaxPatternLength = 1024;
/// Most patterns under one `patternProperties`.
inline constexpr std::size_t kMaxNamePatterns = 100;
/// Most names under one `properties`, and most fields of a row: nested ones, items of lists and
/// values of maps included.
inline constexpr std::size_t kMaxFields = 4096;
/// Most characters in the name of a field.
inline constexpr std::size_t kLongestName = 255;
/// Most lists, structs and maps inside each other; Arrow readers give up at 64 levels, and a map
/// has two.
inline constexpr std::size_t kDeepestType = 30;

}  // namespace tickmesh::internal
