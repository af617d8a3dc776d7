#include "mapping/name_pattern.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include <re2/re2.h>

#include "mapping/schema_error.h"
#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

/// What `\s` means in ECMA-262, as members of a class.
constexpr std::string_view kSpaces =
    "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
    "\\x{feff}";

struct CodePoint {
  std::uint32_t code;
  /// Bytes the escape takes.
  std::size_t length;
};

std::optional<std::uint32_t> Hexadecimal(std::string_view digits) {
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return code;
}

std::optional<std::uint32_t> CodeUnitAt(std::string_view text) {
  if (text.size() < 6 || !text.starts_with("\\u")) return std::nullopt;
  return Hexadecimal(text.substr(2, 4));
}

/// The code point that an escape at the beginning of a text stands for: `\u{1F600}`,
/// `\uD83D\uDE00`.
std::optional<CodePoint> EscapedCodePoint(std::string_view text) {
  if (text.starts_with("\\u{")) {
    const auto end = text.find('}');
    if (end == std::string_view::npos || end == 3) return std::nullopt;
    const auto code = Hexadecimal(text.substr(3, end - 3));
    return code.has_value() ? std::optional(CodePoint{*code, end + 1}) : std::nullopt;
  }
  const auto high = CodeUnitAt(text);
  if (!high.has_value()) return std::nullopt;
  if (*high >= 0xD800 && *high <= 0xDBFF) {
    const auto low = CodeUnitAt(text.substr(6));
    if (low.has_value() && *low >= 0xDC00 && *low <= 0xDFFF) {
      return CodePoint{0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00), 12};
    }
  }
  return CodePoint{*high, 6};
}

std::string HexadecimalEscape(std::uint32_t code) {
  char digits[9];
  const auto end = std::to_chars(digits, digits + sizeof digits, code, 16).ptr;
  return "\\x{" + std::string(digits, end) + "}";
}

}  // namespace

std::string PatternForRe2(std::string_view pattern) {
  std::string written;
  bool in_class = false;
  while (!pattern.empty()) {
    if (const auto point = EscapedCodePoint(pattern); point.has_value()) {
      written += HexadecimalEscape(point->code);
      pattern.remove_prefix(point->length);
      continue;
    }
    const std::string_view piece = pattern.substr(0, pattern[0] == '\\' ? 2 : 1);
    std::size_t taken = piece.size();
    if (piece == "\\s") {
      written += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
    } else if (piece == "\\S" && !in_class) {
      written += "[^" + std::string(kSpaces) + "]";
    } else if (piece == "." && !in_class) {
      written += "[^\\n\\r\\x{2028}\\x{2029}]";
    } else if (piece == "\\0") {
      written += "\\x{0}";
    } else if (piece == "\\c" && pattern.size() > 2) {
      written += HexadecimalEscape(static_cast<unsigned char>(pattern[2]) & 0x1FU);
      taken = 3;
    } else if (!in_class && pattern.starts_with("(?<") && pattern.size() > 3 && pattern[3] != '=' &&
               pattern[3] != '!') {
      written += "(?P<";
      taken = 3;
    } else {
      written += piece;
      in_class = piece == "[" || (in_class && piece != "]");
    }
    pattern.remove_prefix(taken);
  }
  return written;
}

NamePatterns::NamePatterns() = default;
NamePatterns::~NamePatterns() = default;

arrow::Result<bool> NamePatterns::Matches(std::string_view pattern, std::string_view name) {
  auto& compiled = compiled_[pattern];
  if (compiled == nullptr) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    compiled = std::make_unique<re2::RE2>(PatternForRe2(pattern), options);
  }
  if (!compiled->ok()) {
    return MakeError(
        "the pattern " + Quoted(pattern) +
            " of patternProperties decides here, and it cannot be matched by RE2: take "
            "the registry's own projection, or do without look-around",
        {.code = ErrorCode::kUnimplemented,
         .reason = "UNSUPPORTED_PATTERN",
         .domain = "tickmesh",
         .metadata = {{"pattern", std::string(pattern)}}});
  }
  return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *compiled);
}

}  // namespace tickmesh::internal
